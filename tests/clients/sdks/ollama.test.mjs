// Ollama's own client against the gateway, for what it does with models: embeddings, profiles, what
// is loaded, copies.
import assert from 'node:assert/strict';
import { Ollama } from 'ollama';
import { test } from './runner.mjs';

const host = process.env.GATEWAY_URL;
const local = process.env.GATEWAY_LOCAL_MODEL;
const ollama = new Ollama({ host, headers: { authorization: `Bearer ${process.env.GATEWAY_KEY}` } });

const messages = [{ role: 'user', content: 'Say something.' }];
const options = { num_predict: 2 };

test('ollama: embed: one text, many, none, fewer dimensions', async () => {
  const many = await ollama.embed({ model: local, input: ['one text', 'another'] });
  assert.equal(many.embeddings.length, 2);
  const length = Math.hypot(...many.embeddings[0]);
  assert.ok(Math.abs(length - 1) < 1e-5, `${length}`);
  const one = await ollama.embed({ model: local, input: 'one text' });
  assert.deepEqual(one.embeddings[0], many.embeddings[0]);
  const few = await ollama.embed({ model: local, input: 'one text', dimensions: 4 });
  assert.equal(few.embeddings[0].length, 4);
  assert.deepEqual((await ollama.embed({ model: local, input: '' })).embeddings, []);
  const old = await ollama.embeddings({ model: local, prompt: 'one text' });
  assert.equal(old.embedding.length, one.embeddings[0].length);
  await assert.rejects(ollama.embed({ model: 'no-such', input: 'x' }), /not found/);
});

test('ollama: create, chat, generate, show, copy, delete', async () => {
  const steps = [];
  const progress = await ollama.create({
    model: 'poet', from: local, system: 'You are a poet who only ever speaks of the sea.',
    parameters: { temperature: 0, num_predict: 3 }, stream: true,
  });
  for await (const step of progress) steps.push(step.status);
  assert.equal(steps.at(-1), 'success');

  const plain = await ollama.chat({ model: local, messages, options });
  const poet = await ollama.chat({ model: 'poet', messages });
  assert.ok(poet.prompt_eval_count > plain.prompt_eval_count);
  assert.ok(poet.eval_count <= 3);
  let pieces = 0, last;
  for await (const part of await ollama.generate({ model: 'poet', prompt: 'Hi', stream: true })) {
    pieces += 1;
    last = part;
  }
  assert.ok(pieces > 0 && last.done);

  const shown = await ollama.show({ model: 'poet' });
  assert.match(shown.system, /sea/);
  assert.ok(shown.capabilities.includes('completion'));
  assert.ok(shown.model_info[`${shown.details.family}.context_length`] > 0);
  assert.equal(shown.details.parent_model, local);

  await ollama.copy({ source: 'poet', destination: 'bard' });
  await ollama.delete({ model: 'poet' });
  await assert.rejects(ollama.show({ model: 'poet' }), /not found/);
  assert.match((await ollama.show({ model: 'bard' })).system, /sea/);
  assert.equal((await ollama.delete({ model: 'bard' })).status, 'success');
  await assert.rejects(ollama.delete({ model: 'bard' }), /not found/);
});

test('ollama: create, not streamed, and what it refuses', async () => {
  const made = await ollama.create({ model: 'quick', from: local });
  assert.equal(made.status, 'success');
  await ollama.delete({ model: 'quick' });
  await assert.rejects(ollama.create({ model: 'x', from: 'no-such' }), /not found/);
  await assert.rejects(ollama.create({ model: 'x', from: local, quantize: 'q4_K_M' }), /quantize/);
});

test('ollama: load, ps, unload', async () => {
  const loaded = await ollama.generate({ model: local, prompt: '', keep_alive: '10m' });
  assert.equal(loaded.done_reason, 'load');
  const [running] = (await ollama.ps()).models;
  assert.equal(running.name, local);
  assert.ok(new Date(running.expires_at) > new Date());
  const unloaded = await ollama.chat({ model: local, messages: [], keep_alive: 0 });
  assert.equal(unloaded.done_reason, 'unload');
  for (let i = 0; i < 500 && (await ollama.ps()).models.length > 0; i += 1)
    await new Promise((resume) => setTimeout(resume, 20));
  assert.deepEqual((await ollama.ps()).models, []);
});

test('ollama: pull: of what is installed, and of what nobody knows', async () => {
  const steps = [];
  for await (const step of await ollama.pull({ model: local, stream: true })) steps.push(step.status);
  assert.equal(steps[0], 'pulling manifest');
  assert.equal(steps.at(-1), 'success');
  await assert.rejects(ollama.pull({ model: 'no-such:1b' }), /does not exist/);
});
