// Collects the tests of the files that run.mjs loads, and runs them one after another.
const tests = [];

export const test = (name, run) => tests.push({ name, run });

// Ends with "N passed, N failed, N skipped"; true when none failed.
export async function runAll() {
  let passed = 0, failed = 0;
  for (const { name, run } of tests) {
    try {
      await run();
      passed += 1;
      console.log(`ok      ${name}`);
    } catch (error) {
      failed += 1;
      console.log(`FAILED  ${name}\n${error.stack}`);
    }
  }
  console.log(`${passed} passed, ${failed} failed, 0 skipped`);
  return failed === 0;
}
