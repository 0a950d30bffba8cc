// What each of OpenClaw's model calls is worth: the one place to change it. The first rule that fits wins.

/**
 * @typedef {object} Call  What is known about a model call.
 * @property {string} [trigger]     why the run began: "user", "cron", "heartbeat", ...; none for a call outside a run
 * @property {string} [sessionKey]  "agent:main:main", "agent:main:subagent:…"
 * @property {string} [prompt]      what the run was asked
 *
 * @typedef {object} Mark
 * @property {"low" | "high"} priority  low: the local model; high: Claude
 * @property {string} taskClass
 */

const PROMPT_CHARS_MAX = 4000; // of a prompt that is looked at; the rest cannot make it routine
const SMALL_EDIT_CHARS_MAX = 400;

const GIT = /\b(commit message|changelog|release notes|git (add|commit|push|pull|status|log|diff|rebase|merge|stash|tag))\b/i;
const EDIT = /\b(typos?|rename|reformat|re-?indent|sort the imports|fix the spelling)\b/i;

/** A person's own word in the prompt: "[priority:low]" or "#priority=high". */
const DECLARED = /(?:\[priority:\s*(low|high)\]|#priority=(low|high)\b)/i;

/** @type {{taskClass: string, priority: "low" | "high", fits: (call: Call) => boolean}[]} */
export const RULES = [
  { taskClass: 'heartbeat', priority: 'low', fits: (call) => call.trigger === 'heartbeat' },
  { taskClass: 'cron', priority: 'low', fits: (call) => call.trigger === 'cron' },
  { taskClass: 'subagent', priority: 'low', fits: (call) => /:subagent:/.test(call.sessionKey ?? '') },
  // Titles and recaps are asked outside any run.
  { taskClass: 'utility', priority: 'low', fits: (call) => !call.trigger && !call.prompt },
  { taskClass: 'git', priority: 'low', fits: (call) => GIT.test(call.prompt ?? '') },
  {
    taskClass: 'edit',
    priority: 'low',
    fits: (call) => (call.prompt ?? '').length <= SMALL_EDIT_CHARS_MAX && EDIT.test(call.prompt ?? ''),
  },
  { taskClass: 'user', priority: 'high', fits: () => true },
];

/**
 * @param {Call} call
 * @returns {Mark}
 */
export function mark(call) {
  const prompt = (call.prompt ?? '').slice(0, PROMPT_CHARS_MAX);
  const rule = RULES.find(({ fits }) => fits({ ...call, prompt }));
  const declared = DECLARED.exec(prompt);
  const priority = declared ? (declared[1] ?? declared[2]).toLowerCase() : rule.priority;
  return { priority: /** @type {Mark["priority"]} */ (priority), taskClass: rule.taskClass };
}
