// What the hook saw of a run, for the model calls that follow. OpenClaw may load a plugin more than once,
// so the runs are kept where every copy finds them.

/** @typedef {import("./rules.js").Call} Call */

const KEY = Symbol.for('tophand.openclaw.runs');
const RUNS_MAX = 1000; // the oldest is forgotten: a run has ended long before as many others began

/** @returns {Map<string, Call>} */
function runs() {
  return (globalThis[KEY] ??= new Map());
}

/**
 * @param {(string | undefined)[]} ids  of the run and its session
 * @param {Call} call
 */
export function remember(ids, call) {
  for (const id of ids) {
    if (!id) continue;
    runs().delete(id);
    runs().set(id, call);
    if (runs().size > RUNS_MAX) runs().delete(runs().keys().next().value);
  }
}

/**
 * @param {{requestId?: string, sessionId?: string} | undefined} options  of one model call
 * @returns {Call | undefined}
 */
export function recall(options) {
  const run = options?.requestId?.replace(/:model:\d+$/, '');
  return runs().get(run ?? '') ?? runs().get(options?.sessionId ?? '');
}
