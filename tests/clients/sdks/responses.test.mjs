// The openai SDK's Responses and Completions APIs against the gateway, and structured outputs through
// every SDK: local answers from a tiny random model, Claude's from the simulator.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { Ollama } from 'ollama';
import OpenAI from 'openai';
import { test } from './runner.mjs';

const url = process.env.GATEWAY_URL;
const apiKey = process.env.GATEWAY_KEY;
const local = process.env.GATEWAY_LOCAL_MODEL;
const openai = new OpenAI({ baseURL: `${url}/v1`, apiKey, maxRetries: 0 });

const parameters = { type: 'object', properties: { path: { type: 'string' } }, required: ['path'],
  additionalProperties: false };
const tools = [{ type: 'function', name: 'look', description: 'Looks.', parameters, strict: true }];
const say = 'Hello. [[say one two three]]';
const call = [{ role: 'user', content: 'Go. [[tool look {"path": "a/b"}]]' }];

test('responses: whole answer from Claude', async () => {
  const { data, response } = await openai.responses
    .create({ model: 'claude', instructions: 'Be brief.', input: say, store: false }).withResponse();
  assert.equal(data.output_text, 'one two three');
  assert.equal(data.status, 'completed');
  assert.equal(data.instructions, 'Be brief.');
  assert.equal(data.usage.output_tokens, 3);
  assert.equal(data.usage.total_tokens, data.usage.input_tokens + 3);
  assert.equal(response.headers.get('x-tophand-backend'), 'claude');
  assert.ok(data._request_id);
});

test('responses: stream().finalResponse() from Claude', async () => {
  const pieces = [], types = [];
  const stream = openai.responses.stream({ model: 'claude', input: say });
  stream.on('response.output_text.delta', (event) => pieces.push(event.delta));
  stream.on('event', (event) => types.push(event.type));
  const done = await stream.finalResponse();
  assert.equal(pieces.join(''), 'one two three');
  assert.equal(done.output_text, 'one two three');
  assert.equal(done.usage.output_tokens, 3);
  assert.deepEqual(types.slice(0, 2), ['response.created', 'response.in_progress']);
  assert.equal(types.at(-1), 'response.completed');
});

test('responses: raw events are numbered from 0', async () => {
  let next = 0;
  for await (const event of await openai.responses.create({ model: 'claude', input: say, stream: true }))
    assert.equal(event.sequence_number, next++);
  assert.ok(next > 6);
});

test('responses: whole and streamed from the local model say the same', async () => {
  const ask = { model: 'local', max_output_tokens: 16, temperature: 0, input: 'Hi' };
  const { data, response } = await openai.responses.create(ask).withResponse();
  assert.equal(response.headers.get('x-tophand-backend'), 'local');
  assert.ok(['completed', 'incomplete'].includes(data.status));
  const streamed = await openai.responses.stream(ask).finalResponse();
  assert.equal(streamed.output_text, data.output_text);
  assert.equal(streamed.status, data.status);
});

test('responses: tool loop, streamed, with the items sent back as they came', async () => {
  const first = await openai.responses.stream({ model: 'claude', input: call, tools }).finalResponse();
  const asked = first.output.find((item) => item.type === 'function_call');
  assert.deepEqual(asked.parsed_arguments, { path: 'a/b' });
  const second = await openai.responses.create({ model: 'claude', tools, input: [...call,
    ...first.output, { type: 'function_call_output', call_id: asked.call_id, output: '42' }] });
  assert.match(second.output_text, /Last tool output: 42/);
});

test('responses: continued by previous_response_id, whole and streamed, with a call in between', async () => {
  const first = await openai.responses.create({ model: 'claude', input: call, tools });
  assert.equal(first.store, true);
  const asked = first.output.find((item) => item.type === 'function_call');
  const next = { model: 'claude', tools, previous_response_id: first.id,
    input: [{ type: 'function_call_output', call_id: asked.call_id, output: '42' }] };
  const whole = await openai.responses.create(next);
  assert.equal(whole.previous_response_id, first.id);
  assert.match(whole.output_text, /Last tool output: 42/);
  const streamed = await openai.responses.stream(next).finalResponse();
  assert.match(streamed.output_text, /Last tool output: 42/);
  const last = await openai.responses.create({ model: 'claude', input: say, previous_response_id: streamed.id });
  assert.equal(last.output_text, 'one two three');
});

test('responses: stored ones are retrieved, listed and deleted', async () => {
  const first = await openai.responses.create({ model: local, input: 'Hi', max_output_tokens: 4 });
  const { id } = await openai.responses.create(
    { model: local, input: 'And?', max_output_tokens: 4, previous_response_id: first.id });
  assert.deepEqual((await openai.responses.retrieve(first.id)).output, first.output);
  const items = [];
  for await (const item of openai.responses.inputItems.list(id, { order: 'asc', limit: 1 })) items.push(item);
  assert.deepEqual(items.map((item) => item.role ?? item.type).slice(0, 1), ['user']);
  assert.deepEqual(items.at(0).content, [{ type: 'input_text', text: 'Hi' }]);
  assert.deepEqual(items.at(-1).content, [{ type: 'input_text', text: 'And?' }]);
  await assert.rejects(openai.responses.cancel(id), OpenAI.BadRequestError);
  await openai.responses.delete(id);
  await assert.rejects(openai.responses.retrieve(id), OpenAI.NotFoundError);
  await assert.rejects(openai.responses.delete(id), OpenAI.NotFoundError);
  const unkept = await openai.responses.create({ model: local, input: 'Hi', store: false, max_output_tokens: 4 });
  assert.equal(unkept.store, false);
  await assert.rejects(openai.responses.inputItems.list(unkept.id), OpenAI.NotFoundError);
});

test('responses: tools of other vendors are left out and named', async () => {
  const { data, response } = await openai.responses.create({ model: 'claude', input: say,
    tools: [...tools, { type: 'web_search' }, { type: 'custom', name: 'patch' },
      { type: 'namespace', name: 'n', description: '', tools: [] }] }).withResponse();
  assert.equal(data.output_text, 'one two three');
  assert.equal(response.headers.get('x-tophand-left-out'), 'web_search, custom, namespace');
});

test('responses: an empty input warms the model up', async () => {
  const done = await openai.responses.create({ model: local, input: '', max_output_tokens: 16 });
  assert.deepEqual(done.output, []);
  assert.equal(done.status, 'completed');
});

test('responses: errors have their classes', async () => {
  const wrong = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'th-wrong', maxRetries: 0 });
  const ask = { model: 'local', input: 'Hi' };
  await assert.rejects(wrong.responses.create(ask), OpenAI.AuthenticationError);
  await assert.rejects(openai.responses.create({ ...ask, model: 'no-such' }), OpenAI.NotFoundError);
  await assert.rejects(openai.responses.create({ ...ask, input: 3 }), OpenAI.BadRequestError);
  await assert.rejects(openai.responses.create({ ...ask, previous_response_id: 'resp_1' }),
    (error) => error instanceof OpenAI.BadRequestError && error.param === 'previous_response_id'
      && error.code === 'previous_response_not_found');
  await assert.rejects(openai.responses.create({ ...ask, model: 'claude', input: '[[fail 429]]' }),
    OpenAI.RateLimitError);
});

test('responses: a failure in mid-stream is raised', async () => {
  await assert.rejects(openai.responses.stream(
    { model: 'claude', input: '[[fail-mid overloaded_error]]' }).finalResponse(), OpenAI.APIError);
});

test('responses: a prompt that does not fit names the limit', async () => {
  await assert.rejects(
    openai.responses.create({ model: local, input: 'many words '.repeat(40000) }),
    (error) => error.status === 400 && error.code === 'context_length_exceeded'
      && /maximum context length/.test(error.message));
});

test('completions: whole and streamed from the local model say the same', async () => {
  const ask = { model: local, prompt: 'Once', max_tokens: 12, temperature: 0 };
  const whole = await openai.completions.create(ask);
  assert.equal(whole.object, 'text_completion');
  assert.ok(['stop', 'length'].includes(whole.choices[0].finish_reason));
  let text = '', usage;
  for await (const chunk of await openai.completions.create(
    { ...ask, stream: true, stream_options: { include_usage: true } })) {
    text += chunk.choices[0]?.text ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, whole.choices[0].text);
  assert.deepEqual(usage.completion_tokens, whole.usage.completion_tokens);
});

test('completions: from Claude, several at once, and what is not served', async () => {
  const done = await openai.completions.create({ model: 'claude', prompt: say, max_tokens: 20 });
  assert.equal(done.choices[0].text, 'one two three');
  const several = await openai.completions.create(
    { model: local, prompt: ['one two', 'red green'], n: 2, max_tokens: 4, temperature: 0 });
  assert.deepEqual(several.choices.map((choice) => choice.index), [0, 1, 2, 3]);
  assert.equal(several.choices[0].text, several.choices[1].text);  // temperature 0: the same prompt
  const alone = await openai.completions.create(
    { model: local, prompt: 'red green', max_tokens: 4, temperature: 0 });
  assert.equal(several.choices[2].text, alone.choices[0].text);
  assert.ok(several.usage.completion_tokens > alone.usage.completion_tokens);
  const chats = await openai.chat.completions.create({ model: local, messages: [{ role: 'user', content: say }],
    n: 2, max_tokens: 4 });
  assert.deepEqual(chats.choices.map((choice) => [choice.index, choice.message.role]),
    [[0, 'assistant'], [1, 'assistant']]);
  await assert.rejects(openai.completions.create({ model: local, prompt: 'x', best_of: 2 }),
    OpenAI.BadRequestError);
});

test('completions: several at once in one stream', async () => {
  const texts = {}, ends = [];
  let usage;
  for await (const chunk of await openai.completions.create({ model: 'claude', stream: true, n: 2,
    prompt: ['[[say one two]]', '[[say red]]'], stream_options: { include_usage: true } })) {
    for (const { index, text, finish_reason } of chunk.choices) {
      texts[index] = (texts[index] ?? '') + text;
      if (finish_reason) ends.push(index);
    }
    usage = chunk.usage ?? usage;
  }
  assert.deepEqual(texts, { 0: 'one two', 1: 'one two', 2: 'red', 3: 'red' });
  assert.deepEqual(ends, [0, 1, 2, 3]);
  assert.equal(usage.completion_tokens, 6);
});

// The simulator answers a schema with an instance of it, so what arrives proves that it was asked.
test('structured outputs reach Claude from every SDK', async () => {
  const format = { type: 'json_schema', name: 'where', schema: parameters, strict: true };
  const expected = (value) => assert.equal(typeof value.path, 'string');
  const responses = await openai.responses.parse(
    { model: 'claude', input: 'Where?', text: { format } });
  expected(JSON.parse(responses.output_text));
  const chat = await openai.chat.completions.create({ model: 'claude',
    messages: [{ role: 'user', content: 'Where?' }],
    response_format: { type: 'json_schema', json_schema: format } });
  expected(JSON.parse(chat.choices[0].message.content));
  const ollama = new Ollama({ host: url, headers: { authorization: `Bearer ${apiKey}` } });
  const made = await ollama.chat({ model: 'claude', format: parameters,
    messages: [{ role: 'user', content: 'Where?' }] });
  expected(JSON.parse(made.message.content));
  const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
  const message = await anthropic.messages.create({ model: 'claude', max_tokens: 99,
    messages: [{ role: 'user', content: 'Where?' }],
    output_config: { format: { type: 'json_schema', schema: parameters } } });
  expected(JSON.parse(message.content[0].text));
});

test('models: a name with a colon, and local models under names of Claude', async () => {
  assert.equal((await openai.models.retrieve(`claude-local-${local}`)).id, `claude-local-${local}`);
  const anthropic = new Anthropic({ baseURL: url, apiKey, maxRetries: 0 });
  const ids = [];
  for await (const model of anthropic.models.list({ limit: 2 })) ids.push(model.id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(ids.includes(`claude-local-${local}`), ids.join(' '));
});
