// The text of `/tophand`.

const ANSWER_MS_MAX = 5000;

/**
 * @param {string} baseUrl  of the provider, with or without /v1
 * @param {string} apiKey
 * @param {typeof fetch} [get]
 * @returns {Promise<string>}
 */
export async function status(baseUrl, apiKey, get = fetch) {
  const url = baseUrl.replace(/\/(v1\/?)?$/, '');
  const ask = async (path) => {
    const answer = await get(url + path, {
      headers: { authorization: `Bearer ${apiKey}` },
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    return answer.json();
  };
  try {
    const [health, recent] = await Promise.all([ask('/healthz'), ask('/tophand/v1/requests?limit=50')]);
    const workers = (health.workers ?? []).map((worker) => `${worker.model} (${worker.state})`);
    return [
      `Tophand ${health.version} at ${url}`,
      `Claude: ${health.claude}`,
      `local models: ${workers.join(', ') || 'none running'}`,
      `last ${recent.requests.length} requests: ${counts(recent.requests)}`,
    ].join('\n');
  } catch (error) {
    return `Tophand at ${url} does not answer: ${error.message}. Is \`tophand serve\` running?`;
  }
}

/** "12 local (8 heartbeat, 4 cron), 3 claude (3 user)" */
function counts(requests) {
  const count = (rows, name) => {
    const found = new Map();
    for (const row of rows) found.set(row[name] || 'other', (found.get(row[name] || 'other') ?? 0) + 1);
    return [...found];
  };
  return count(requests, 'backend').map(([backend, number]) => {
    const classes = count(requests.filter((row) => row.backend === backend), 'task_class');
    return `${number} ${backend} (${classes.map(([name, times]) => `${times} ${name}`).join(', ')})`;
  }).join(', ') || 'none';
}
