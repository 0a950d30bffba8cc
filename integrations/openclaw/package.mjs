// Makes dist/, where tsc has put the JavaScript, the package for npm: from a package OpenClaw loads built
// JavaScript only, from a checkout the TypeScript.
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';

const { private: _, scripts, devDependencies, ...published } = JSON.parse(readFileSync('package.json', 'utf8'));
published.openclaw.extensions = published.openclaw.extensions.map((path) => path.replace(/\.ts$/, '.js'));
writeFileSync('dist/package.json', `${JSON.stringify(published, null, 2)}\n`);
for (const file of ['openclaw.plugin.json', 'README.md']) copyFileSync(file, `dist/${file}`);
