// The official SDKs against the gateway: local answers from a tiny random model (noise, but in the
// right shape), Claude's from the simulator.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { test } from './runner.mjs';

const url = process.env.GATEWAY_URL;
const apiKey = process.env.GATEWAY_KEY;
const local = process.env.GATEWAY_LOCAL_MODEL;
const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });
const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${apiKey}` } });

const user = (content) => [{ role: 'user', content }];
const say = user('Hello. [[say one two three]]');
const schema = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] };
const call = user('Go. [[tool look {"path": "a/b"}]]');

test('anthropic: whole answer from Claude', async () => {
  const { data, response } = await anthropic.messages
    .create({ model: 'claude', max_tokens: 50, messages: say }).withResponse();
  assert.equal(data.content[0].text, 'one two three');
  assert.equal(data.stop_reason, 'end_turn');
  assert.equal(data.usage.output_tokens, 3);
  assert.equal(response.headers.get('x-tophand-backend'), 'claude');
});

test('anthropic: stream().finalMessage() from Claude', async () => {
  const pieces = [];
  const stream = anthropic.messages.stream({ model: 'claude', max_tokens: 50, messages: say });
  stream.on('text', (text) => pieces.push(text));
  const message = await stream.finalMessage();
  assert.equal(pieces.join(''), 'one two three');
  assert.equal(message.content[0].text, 'one two three');
  assert.equal(message.usage.output_tokens, 3);
});

test('anthropic: whole answer from the local model', async () => {
  const message = await anthropic.messages.create({ model: 'local', max_tokens: 12, messages: user('Hi') });
  assert.equal(message.role, 'assistant');
  assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason));
});

test('anthropic: stream from the local model by header', async () => {
  const stream = anthropic.messages.stream(
    { model: 'claude-opus-5-5', max_tokens: 12, messages: user('Hi') },
    { headers: { 'x-tophand-priority': 'low' } });
  const message = await stream.finalMessage();
  assert.ok(['end_turn', 'max_tokens'].includes(message.stop_reason));
  const { response } = await stream.withResponse();
  assert.equal(response.headers.get('x-tophand-backend'), 'local');
});

test('anthropic: raw event iteration', async () => {
  const types = [];
  for await (const event of await anthropic.messages.create(
    { model: 'claude', max_tokens: 50, messages: say, stream: true })) types.push(event.type);
  assert.equal(types[0], 'message_start');
  assert.equal(types.at(-1), 'message_stop');
});

test('anthropic: tool loop, streamed', async () => {
  const tools = [{ name: 'look', description: 'Looks.', input_schema: schema }];
  const first = await anthropic.messages
    .stream({ model: 'claude', max_tokens: 99, messages: call, tools }).finalMessage();
  assert.equal(first.stop_reason, 'tool_use');
  const use = first.content.find((block) => block.type === 'tool_use');
  assert.deepEqual(use.input, { path: 'a/b' });
  const second = await anthropic.messages.create({
    model: 'claude', max_tokens: 99, tools,
    messages: [...call, { role: 'assistant', content: first.content },
      { role: 'user', content: [{ type: 'tool_result', tool_use_id: use.id, content: '42' }] }] });
  assert.match(second.content[0].text, /Last tool output: 42/);
});

test('anthropic: count_tokens', async () => {
  const counted = await anthropic.messages.countTokens({ model: 'local', messages: user('Hello there') });
  assert.ok(counted.input_tokens > 0);
});

test('anthropic: models list', async () => {
  const ids = [];
  for await (const model of anthropic.models.list()) ids.push(model.id);
  assert.ok(ids.includes(local), ids.join(' '));
});

test('anthropic: errors have their classes', async () => {
  const wrong = new Anthropic({ baseURL: url, apiKey: 'th-wrong', maxRetries: 0 });
  const ask = { model: 'local', max_tokens: 5, messages: user('Hi') };
  await assert.rejects(wrong.messages.create(ask), Anthropic.AuthenticationError);
  await assert.rejects(anthropic.messages.create({ ...ask, model: 'no-such' }), Anthropic.NotFoundError);
  await assert.rejects(anthropic.messages.create({ ...ask, messages: 'x' }), Anthropic.BadRequestError);
  await assert.rejects(
    anthropic.messages.create({ ...ask, model: 'claude', messages: user('[[fail 429]]') }),
    (error) => error instanceof Anthropic.RateLimitError && error.requestID !== null);
  await assert.rejects(
    anthropic.messages.stream({ ...ask, max_tokens: 90, model: 'claude',
      messages: user('[[fail-mid overloaded_error]]') }).finalMessage(), Anthropic.APIError);
});

test('openai: whole answer from Claude', async () => {
  const done = await openai.chat.completions.create({ model: 'claude', messages: say });
  assert.equal(done.choices[0].message.content, 'one two three');
  assert.equal(done.choices[0].finish_reason, 'stop');
  assert.equal(done.usage.completion_tokens, 3);
});

test('openai: chat.completions.stream() from Claude', async () => {
  const stream = openai.chat.completions.stream({ model: 'claude', messages: say,
    stream_options: { include_usage: true } });
  const pieces = [];
  stream.on('content', (piece) => pieces.push(piece));
  const done = await stream.finalChatCompletion();
  assert.equal(pieces.join(''), 'one two three');
  assert.equal(done.choices[0].finish_reason, 'stop');
  assert.equal(done.usage.completion_tokens, 3);
});

test('openai: several answers in one stream', async () => {
  const stream = openai.chat.completions.stream({ model: 'claude', messages: say, n: 2,
    stream_options: { include_usage: true } });
  const done = await stream.finalChatCompletion();
  assert.deepEqual(done.choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason]),
    [[0, 'one two three', 'stop'], [1, 'one two three', 'stop']]);
  assert.equal(done.usage.completion_tokens, 6);
  const calls = await openai.chat.completions.stream({ model: 'claude', messages: call, n: 2,
    tools: [{ type: 'function', function: { name: 'look', parameters: schema } }] }).finalChatCompletion();
  for (const choice of calls.choices)
    assert.deepEqual(JSON.parse(choice.message.tool_calls[0].function.arguments), { path: 'a/b' });
});

test('openai: whole and streamed from the local model', async () => {
  const ask = { model: 'local', max_tokens: 12, temperature: 0, messages: user('Hi') };
  const { data, response } = await openai.chat.completions.create(ask).withResponse();
  assert.equal(response.headers.get('x-tophand-backend'), 'local');
  assert.ok(['stop', 'length'].includes(data.choices[0].finish_reason));
  let text = '';
  for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true }))
    text += chunk.choices[0]?.delta?.content ?? '';
  assert.equal(text, data.choices[0].message.content ?? '');
});

test('openai: tool loop, streamed', async () => {
  const tools = [{ type: 'function', function: { name: 'look', parameters: schema } }];
  const first = await openai.chat.completions.stream({ model: 'claude', messages: call, tools })
    .finalChatCompletion();
  assert.equal(first.choices[0].finish_reason, 'tool_calls');
  const asked = first.choices[0].message.tool_calls[0];
  assert.deepEqual(JSON.parse(asked.function.arguments), { path: 'a/b' });
  const second = await openai.chat.completions.create({ model: 'claude', tools,
    messages: [...call, { role: 'assistant', content: null, tool_calls: [asked] },
      { role: 'tool', tool_call_id: asked.id, content: '42' }] });
  assert.match(second.choices[0].message.content, /Last tool output: 42/);
});

test('openai: models list and one model', async () => {
  const ids = [];
  for await (const model of openai.models.list()) ids.push(model.id);
  assert.ok(ids.includes(local), ids.join(' '));
  assert.equal((await openai.models.retrieve(local)).id, local);
});

test('openai: embeddings, as base64 (what it asks for by itself) and as numbers', async () => {
  const input = ['one text', 'another'];
  const coded = await openai.embeddings.create({ model: local, input });
  const plain = await openai.embeddings.create({ model: local, input, encoding_format: 'float' });
  assert.deepEqual(coded.data.map((item) => item.index), [0, 1]);
  assert.ok(Math.abs(Math.hypot(...coded.data[0].embedding) - 1) < 1e-3);
  coded.data.forEach((item, i) => item.embedding.forEach(
    (number, k) => assert.ok(Math.abs(number - plain.data[i].embedding[k]) < 1e-6)));
  assert.ok(coded.usage.total_tokens > 1);
});

test('openai and anthropic: a base URL without its /v1, or with one too many', async () => {
  const ask = { model: 'claude', max_tokens: 9, messages: say };
  for (const baseURL of [url, `${url}/`, `${url}/v1/`]) {
    const answer = await new OpenAI({ baseURL, apiKey, maxRetries: 0 }).chat.completions.create(ask);
    assert.equal(answer.choices[0].message.content, 'one two three');
  }
  for (const baseURL of [`${url}/`, `${url}/v1`]) {
    const answer = await new Anthropic({ baseURL, apiKey, maxRetries: 0 }).messages.create(ask);
    assert.equal(answer.content[0].text, 'one two three');
  }
});

test('openai: errors have their classes', async () => {
  const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'th-wrong', maxRetries: 0 });
  const ask = { model: 'local', max_tokens: 5, messages: user('Hi') };
  await assert.rejects(wrong.chat.completions.create(ask), OpenAI.AuthenticationError);
  await assert.rejects(openai.chat.completions.create({ ...ask, model: 'no-such' }), OpenAI.NotFoundError);
  await assert.rejects(openai.chat.completions.create({ ...ask, messages: 'x' }), OpenAI.BadRequestError);
  await assert.rejects(async () => {
    const stream = await openai.chat.completions.create(
      { model: 'claude', stream: true, messages: user('[[fail-mid overloaded_error]]') });
    for await (const chunk of stream) assert.ok(chunk);
  }, OpenAI.APIError);
});

test('ollama: chat, whole and streamed', async () => {
  const whole = await ollama.chat({ model: 'claude', messages: say });
  assert.equal(whole.message.content, 'one two three');
  let text = '', last;
  for await (const part of await ollama.chat({ model: 'claude', messages: say, stream: true })) {
    text += part.message.content;
    last = part;
  }
  assert.equal(text, 'one two three');
  assert.equal(last.done, true);
});

test('ollama: local chat and generate', async () => {
  const options = { num_predict: 12 };
  const whole = await ollama.chat({ model: local, messages: user('Hi'), options });
  assert.ok(whole.eval_count >= 0 && whole.prompt_eval_count > 0);
  let last;
  for await (const part of await ollama.generate({ model: local, prompt: 'Hi', stream: true, options }))
    last = part;
  assert.equal(last.done, true);
});

test('ollama: tool call has an object for arguments', async () => {
  const tools = [{ type: 'function', function: { name: 'look', description: '', parameters: schema } }];
  const answer = await ollama.chat({ model: 'claude', messages: call, tools });
  assert.deepEqual(answer.message.tool_calls[0].function.arguments, { path: 'a/b' });
});

test('ollama: tags and unknown models', async () => {
  const names = (await ollama.list()).models.map((model) => model.name.replace(/:latest$/, ''));
  assert.ok(names.includes(local), names.join(' '));
  await assert.rejects(ollama.chat({ model: 'no-such', messages: user('Hi') }), /not found/);
});
