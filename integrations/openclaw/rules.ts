// What each of OpenClaw's model calls is worth: the one place to change it. The first rule that fits wins.

/** What is known about a model call. */
export interface Call {
  /** why the run began: "user", "cron", "heartbeat", ...; none for a call outside a run */
  trigger?: string;
  /** "agent:main:main", "agent:main:subagent:…" */
  sessionKey?: string;
  /** what the run was asked */
  prompt?: string;
}

/** low: the local model; high: Claude */
export type Priority = 'low' | 'high';

export interface Mark {
  priority: Priority;
  taskClass: string;
}

interface Rule extends Mark {
  fits: (call: Call) => boolean;
}

const PROMPT_CHARS_MAX = 4000; // of a prompt that is looked at; the rest cannot make it routine
const SMALL_EDIT_CHARS_MAX = 400;

const GIT = /\b(commit message|changelog|release notes|git (add|commit|push|pull|status|log|diff|rebase|merge|stash|tag))\b/i;
const EDIT = /\b(typos?|rename|reformat|re-?indent|sort the imports|fix the spelling)\b/i;

/** A person's own word in the prompt: "[priority:low]" or "#priority=high". */
const DECLARED = /(?:\[priority:\s*(low|high)\]|#priority=(low|high)\b)/i;

export const RULES: Rule[] = [
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
];

/** What no rule fits is a person's. */
const ELSE: Mark = { taskClass: 'user', priority: 'high' };

export function mark(call: Call): Mark {
  const prompt = (call.prompt ?? '').slice(0, PROMPT_CHARS_MAX);
  const { taskClass, priority } = RULES.find(({ fits }) => fits({ ...call, prompt })) ?? ELSE;
  const declared = DECLARED.exec(prompt);
  const said = (declared?.[1] ?? declared?.[2])?.toLowerCase() as Priority | undefined;
  return { taskClass, priority: said ?? priority };
}
