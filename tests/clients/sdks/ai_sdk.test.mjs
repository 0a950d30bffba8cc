// Vercel's AI SDK, which most TypeScript agents are written with: it checks every chunk against a schema of
// its own for each API. Four of its providers, against Claude's simulator.
import assert from 'node:assert/strict';
import { createAnthropic } from '@ai-sdk/anthropic';
import { createOpenAI } from '@ai-sdk/openai';
import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from 'ai';
import { test } from './runner.mjs';

globalThis.AI_SDK_LOG_WARNINGS = false; // it knows no model "claude"

const apiKey = process.env.GATEWAY_KEY;
const baseURL = `${process.env.GATEWAY_URL}/v1`;
const openai = createOpenAI({ baseURL, apiKey });
const models = {
  'Responses API': openai('claude'),
  'Chat Completions': openai.chat('claude'),
  'Messages API': createAnthropic({ baseURL, apiKey })('claude'),
  'compatible servers': createOpenAICompatible({ name: 'tophand', baseURL, apiKey, includeUsage: true })('claude'),
};
const look = tool({
  inputSchema: jsonSchema({ type: 'object', properties: { path: { type: 'string' } }, required: ['path'] }),
  execute: async ({ path }) => `saw ${path}`,
});
const go = { prompt: 'Go. [[tool look {"path": "a/b"}]]', tools: { look }, stopWhen: stepCountIs(3) };

for (const [name, model] of Object.entries(models)) {
  const ask = { model, maxRetries: 0, maxOutputTokens: 100 };

  test(`ai sdk, ${name}: whole and streamed`, async () => {
    const prompt = 'Hello. [[say one two three]]';
    const whole = await generateText({ ...ask, prompt });
    const stream = streamText({ ...ask, prompt });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    for (const [said, reason, usage] of [[whole.text, whole.finishReason, whole.usage],
      [text, await stream.finishReason, await stream.usage]]) {
      assert.equal(said, 'one two three');
      assert.equal(reason, 'stop');
      assert.equal(usage.outputTokens, 3);
      assert.ok(usage.inputTokens > 0);
    }
  });

  test(`ai sdk, ${name}: a tool loop, whole and streamed`, async () => {
    assert.match((await generateText({ ...ask, ...go })).text, /Last tool output: saw a\/b/);
    const stream = streamText({ ...ask, ...go });
    const kinds = [];
    for await (const part of stream.fullStream) kinds.push(part.type);
    assert.equal(kinds.filter((kind) => kind === 'tool-call').length, 1);
    assert.ok(!kinds.includes('error'), kinds.join(' '));
    assert.match(await stream.text, /Last tool output: saw a\/b/);
  });

  test(`ai sdk, ${name}: an object of a schema, and a failure in mid-stream`, async () => {
    const schema = jsonSchema({ type: 'object', properties: { n: { type: 'number' } }, required: ['n'],
      additionalProperties: false });
    const { output } = await generateText({ ...ask, output: Output.object({ schema }), prompt: '[[say {"n": 1}]]' });
    assert.equal(typeof output.n, 'number');
    const kinds = [];
    const cut = streamText({ ...ask, prompt: '[[fail-mid overloaded_error]]', onError: () => {} });
    for await (const part of cut.fullStream) kinds.push(part.type);
    assert.ok(kinds.includes('error'), kinds.join(' '));
  });
}

test('ai sdk: embeddings', async () => {
  const { embeddings } = await embedMany({
    model: openai.embedding(process.env.GATEWAY_LOCAL_MODEL), values: ['one text', 'another'] });
  assert.equal(embeddings.length, 2);
  assert.ok(Math.abs(Math.hypot(...embeddings[0]) - 1) < 1e-3);
});
