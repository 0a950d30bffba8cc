// The text of `/tophand`.

const ANSWER_MS_MAX = 5000;

interface Health {
  version: string;
  claude: string;
  workers?: { model: string; state: string }[];
}

interface Row {
  backend?: string;
  task_class?: string;
}

/** What `fetch` has that is used here. */
export type Get = (url: string, options: { headers: Record<string, string>; signal: AbortSignal }) =>
  Promise<{ ok: boolean; status: number; json(): Promise<unknown> }>;

/** The gateway answers, and not to us. */
class WrongKey extends Error {}

const CONNECT = '`tophand connect openclaw`';

/** What the configuration holds of the provider; people write it by hand, too. */
export async function statusOf(provider: { baseUrl?: unknown; apiKey?: unknown }, get: Get = fetch): Promise<string> {
  const { baseUrl, apiKey } = provider;
  if (typeof baseUrl !== 'string' || !baseUrl)
    return `The provider "tophand" has no baseUrl: ${CONNECT} writes one.`;
  if (apiKey !== undefined && typeof apiKey !== 'string')
    return `The provider "tophand" has an apiKey that is no text, which only OpenClaw itself can look up: ${CONNECT} `
      + 'writes one that can be read here.';
  if (!apiKey) return `The provider "tophand" has no apiKey: ${CONNECT} writes one.`;
  return status(baseUrl, apiKey, get);
}

/** `baseUrl`: of the provider, with or without /v1. */
export async function status(baseUrl: string, apiKey: string, get: Get = fetch): Promise<string> {
  const url = baseUrl.replace(/\/(v1\/?)?$/, '');
  const ask = async (path: string): Promise<unknown> => {
    const answer = await get(url + path, {
      headers: { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (answer.status === 401) throw new WrongKey();
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  };
  try {
    const [health, recent] = await Promise.all([
      ask('/healthz') as Promise<Health>,
      ask('/tophand/v1/requests?limit=50') as Promise<{ requests: Row[] }>,
    ]);
    const workers = (health.workers ?? []).map((worker) => `${worker.model} (${worker.state})`);
    return [
      `Tophand ${health.version} at ${url}`,
      `Claude: ${health.claude}`,
      `local models: ${workers.join(', ') || 'none running'}`,
      `last ${recent.requests.length} requests: ${counts(recent.requests)}`,
    ].join('\n');
  } catch (error) {
    if (error instanceof WrongKey)
      return `Tophand at ${url} runs, but does not know the key that OpenClaw has: ${CONNECT} writes a new one.`;
    return `Tophand at ${url} does not answer: ${(error as Error).message}. Is \`tophand serve\` running?`;
  }
}

/** "12 local (8 heartbeat, 4 cron), 3 claude (3 user)" */
function counts(requests: Row[]): string {
  const count = (rows: Row[], name: keyof Row): [string, number][] => {
    const found = new Map<string, number>();
    for (const row of rows) found.set(row[name] || 'other', (found.get(row[name] || 'other') ?? 0) + 1);
    return [...found];
  };
  return count(requests, 'backend').map(([backend, number]) => {
    const classes = count(requests.filter((row) => row.backend === backend), 'task_class');
    return `${number} ${backend} (${classes.map(([name, times]) => `${times} ${name}`).join(', ')})`;
  }).join(', ') || 'none';
}
