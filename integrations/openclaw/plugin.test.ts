import assert from 'node:assert/strict';
import test from 'node:test';
import plugin from './index.ts';
import { mark } from './rules.ts';
import { status, statusOf } from './status.ts';

const MARKS = [
  ['a heartbeat', { trigger: 'heartbeat', sessionKey: 'agent:main:main', prompt: 'Look around' }, 'low', 'heartbeat'],
  ['a cron job', { trigger: 'cron', prompt: 'Plan the week' }, 'low', 'cron'],
  ['a sub-agent', { trigger: 'user', sessionKey: 'agent:main:subagent:1', prompt: 'Plan' }, 'low', 'subagent'],
  ['a recap', {}, 'low', 'utility'],
  ['a commit message', { trigger: 'user', prompt: 'Write a commit message for this' }, 'low', 'git'],
  ['a small edit', { trigger: 'user', prompt: 'Fix the typo in README' }, 'low', 'edit'],
  ['a long task that names a typo', { trigger: 'user', prompt: `Fix the typo. ${'And then. '.repeat(50)}` }, 'high', 'user'],
  ['a person', { trigger: 'user', prompt: 'Why does this fail?' }, 'high', 'user'],
  ["a person's word", { trigger: 'user', prompt: 'Why? [priority:low]' }, 'low', 'user'],
  ["a person's word for a job", { trigger: 'cron', prompt: '#priority=high Plan' }, 'high', 'cron'],
];
for (const [name, call, priority, taskClass] of MARKS) {
  test(`marks ${name}: ${priority}, ${taskClass}`, () => assert.deepEqual(mark(call), { priority, taskClass }));
}

/** OpenClaw's registry, as far as the plugin uses it. */
function load(config) {
  const seen = { hooks: {}, config };
  plugin.register({
    config,
    on: (name, hook) => { seen.hooks[name] = hook; },
    registerProvider: (provider) => { seen.provider = provider; },
    registerCommand: (command) => { seen.command = command; },
  });
  return seen;
}

test('a call carries the mark of its run, over the headers of its model', () => {
  const { hooks, provider } = load();
  hooks.before_model_resolve({ prompt: 'Look' }, { runId: 'run-1', sessionId: 's', trigger: 'heartbeat' });
  hooks.before_model_resolve({ prompt: 'Why?' }, { runId: 'run-2', sessionId: 's', trigger: 'user' });
  const send = provider.wrapStreamFn({ streamFn: (model, context, options) => ({ model, options }) });
  const headersOf = (options) => {
    const sent = send({ id: 'm', headers: { 'X-Tophand-Priority': 'high', mine: '1' } }, {}, options);
    assert.equal(sent.model.headers.mine, '1');
    assert.equal(sent.options.headers['X-Tophand-Priority'], sent.model.headers['X-Tophand-Priority']);
    return [sent.options.headers['X-Tophand-Priority'], sent.options.headers['X-Task-Class']];
  };
  assert.deepEqual(headersOf({ requestId: 'run-1:model:3', sessionId: 's' }), ['low', 'heartbeat']);
  assert.deepEqual(headersOf({ requestId: 'run-2:model:1', sessionId: 's' }), ['high', 'user']);
  assert.deepEqual(headersOf({ sessionId: 's' }), ['high', 'user']);
  assert.deepEqual(headersOf(undefined), ['low', 'utility']);
  assert.equal(provider.wrapStreamFn({}), undefined);
});

test("an agent's turn that no hook announced keeps what its model's entry says", () => {
  const send = load().provider.wrapStreamFn({ streamFn: (model, context, options) => ({ model, options }) });
  const sent = send({ headers: { 'X-Tophand-Priority': 'high' } }, { tools: [{}] }, { requestId: 'run-9:model:1' });
  assert.deepEqual(sent, { model: { headers: { 'X-Tophand-Priority': 'high' } }, options: { requestId: 'run-9:model:1' } });
});

test('a second copy of the plugin knows the runs of the first', () => {
  load().hooks.before_model_resolve({ prompt: 'x' }, { runId: 'run-3', trigger: 'cron' });
  const send = load().provider.wrapSimpleCompletionStreamFn({ streamFn: (model) => model.headers });
  assert.equal(send({}, {}, { requestId: 'run-3:model:1' })['X-Task-Class'], 'cron');
});

test('/tophand tells where requests were answered', async () => {
  const answers = {
    'http://h:1/healthz': { version: '0.1.0', claude: 'configured', workers: [{ model: 'small', state: 'ready' }] },
    'http://h:1/tophand/v1/requests?limit=50': {
      requests: [{ backend: 'local', task_class: 'cron' }, { backend: 'local', task_class: 'cron' },
        { backend: 'claude', task_class: '' }],
    },
  };
  const get = async (url, { headers }) => {
    assert.equal(headers.authorization, 'Bearer k');
    return { ok: url in answers, status: 404, json: async () => answers[url] };
  };
  assert.equal(await status('http://h:1/v1', 'k', get), [
    'Tophand 0.1.0 at http://h:1', 'Claude: configured', 'local models: small (ready)',
    'last 3 requests: 2 local (2 cron), 1 claude (1 other)'].join('\n'));
  assert.match(await status('http://h:2', 'k', get), /does not answer: HTTP 404/);
});

test('/tophand says what to do without the provider', async () => {
  assert.match((await load({}).command.handler()).text, /tophand connect openclaw/);
});

test('/tophand tells a wrong key from a gateway that is not there', async () => {
  const refuse = async () => ({ ok: false, status: 401, json: async () => ({}) });
  const said = await status('http://h:1', 'k', refuse);
  assert.match(said, /does not know the key .*`tophand connect openclaw` writes a new one/);
  assert.doesNotMatch(said, /tophand serve/);
});

test('/tophand says what the provider lacks, and asks nobody then', async () => {
  const get = () => assert.fail('it was asked');
  for (const [provider, lacks] of [
    [{ apiKey: 'k' }, /no baseUrl: `tophand connect openclaw`/],
    [{ baseUrl: 7, apiKey: 'k' }, /no baseUrl/],
    [{ baseUrl: 'http://h:1' }, /no apiKey: `tophand connect openclaw`/],
    [{ baseUrl: 'http://h:1', apiKey: '' }, /no apiKey/],
    [{ baseUrl: 'http://h:1', apiKey: { source: 'env', id: 'KEY' } }, /apiKey that is no text/],
  ])
    assert.match(await statusOf(provider, get), lacks);
});
