// What the hook saw of a run, for the model calls that follow. OpenClaw may load a plugin more than once,
// so the runs are kept where every copy finds them.
import type { Call } from './rules.ts';

const KEY = Symbol.for('tophand.openclaw.runs');
const RUNS_MAX = 1000; // the oldest is forgotten: a run has ended long before as many others began

/** Of one model call's options. */
export interface CallIds {
  requestId?: string;
  sessionId?: string;
}

function runs(): Map<string, Call> {
  const shared = globalThis as { [KEY]?: Map<string, Call> };
  return (shared[KEY] ??= new Map());
}

/** `ids`: of the run and its session. */
export function remember(ids: (string | undefined)[], call: Call): void {
  for (const id of ids) {
    if (!id) continue;
    runs().delete(id);
    runs().set(id, call);
    if (runs().size > RUNS_MAX) runs().delete(runs().keys().next().value!);
  }
}

export function recall(options: CallIds | undefined): Call | undefined {
  const run = options?.requestId?.replace(/:model:\d+$/, '');
  return runs().get(run ?? '') ?? runs().get(options?.sessionId ?? '');
}
