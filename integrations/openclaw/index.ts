// OpenClaw's side of Tophand: says what each model call of the provider "tophand" is for.
import type { OpenClawPluginApi, ProviderWrapStreamFnContext } from 'openclaw/plugin-sdk/plugin-entry';
import { mark } from './rules.ts';
import { recall, remember, type CallIds } from './runs.ts';
import { statusOf } from './status.ts';

const PROVIDER = 'tophand';

type StreamFn = NonNullable<ProviderWrapStreamFnContext['streamFn']>;

/**
 * A stream function of OpenClaw that sends our two headers along, over those of the model's entry. An
 * agent's turn (it has tools) whose beginning was not seen, as of `openclaw agent exec`, is left unmarked.
 */
function marked(inner: StreamFn): StreamFn {
  return (model, context, options) => {
    const call = recall(options as CallIds | undefined);
    if (!call && context?.tools?.length) return inner(model, context, options);
    const { priority, taskClass } = mark(call ?? {});
    const headers = { 'X-Tophand-Priority': priority, 'X-Task-Class': taskClass };
    return inner({ ...model, headers: { ...model.headers, ...headers } }, context,
      { ...options, headers: { ...options?.headers, ...headers } });
  };
}

const wrap = (ctx: ProviderWrapStreamFnContext) => (ctx.streamFn ? marked(ctx.streamFn) : undefined);

export default {
  id: PROVIDER,
  name: 'Tophand',
  register(api: OpenClawPluginApi) {
    api.on('before_model_resolve', (event, ctx) => {
      remember([ctx.runId, ctx.sessionId],
        { trigger: ctx.trigger, sessionKey: ctx.sessionKey, prompt: event.prompt });
    });
    api.registerProvider({
      id: PROVIDER,
      label: 'Tophand',
      auth: [],
      wrapStreamFn: wrap,
      wrapSimpleCompletionStreamFn: wrap,
    });
    api.registerCommand({
      name: 'tophand',
      description: 'What Tophand answered, and where',
      requireAuth: true,
      handler: async () => {
        const provider = api.config?.models?.providers?.[PROVIDER];
        if (!provider) return { text: 'There is no provider "tophand": run `tophand connect openclaw`.' };
        return { text: await statusOf(provider) };
      },
    });
  },
};
