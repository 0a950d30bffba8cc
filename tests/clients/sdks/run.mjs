// Usage: node run.mjs FILE.test.mjs...
import { pathToFileURL } from 'node:url';
import { runAll } from './runner.mjs';

for (const file of process.argv.slice(2)) await import(pathToFileURL(file));
process.exit(await runAll() ? 0 : 1);
