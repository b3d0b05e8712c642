// Look at HTML pages in headless Chromium: axe's rules, and what is too wide.
//   npm install axe-core puppeteer-core    (in a folder of your own)
//   NODE_PATH=FOLDER/node_modules node tools/dev/check_page.mjs PAGE.html ...
// A page is a file, or an address of this computer: the site, for one, after
//   python -m http.server 8000 --bind 127.0.0.1 -d build/site
// Each page is tried at 1280 and 390 pixels, light and dark, with all details
// open. CHROMIUM names the browser, PICTURES a folder for screenshots.
import { createRequire } from 'node:module';
import { basename, resolve } from 'node:path';
import { statSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.NODE_PATH}/`);
const puppeteer = require('puppeteer-core');
const axe = require.resolve('axe-core/axe.min.js');
const browser = await puppeteer.launch({
  executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
let problems = 0;
for (const path of process.argv.slice(2)) {
  const address = /^https?:/.test(path) ? path : pathToFileURL(resolve(path)).href;
  const host = new URL(address).origin;
  for (const width of [1280, 390]) {
    for (const scheme of ['light', 'dark']) {
      const page = await browser.newPage();
      const errors = [];
      page.on('pageerror', (error) => errors.push(error.message));
      page.on('request', (request) => {
        const own = host !== 'null' && request.url().startsWith(`${host}/`);
        if (!own && !/^(file|data|blob):/.test(request.url())) errors.push(`asks for ${request.url()}`);
      });
      await page.setViewport({ width, height: 900 });
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }]);
      const start = performance.now();
      await page.goto(address, { waitUntil: 'load' });
      await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => setTimeout(done))));
      const time = performance.now() - start;
      if (process.env.PICTURES) {
        const title = host === 'null' ? basename(path, '.html') : new URL(address).pathname.replaceAll('/', '_');
        const name = `${title}-${width}-${scheme}.png`;
        await page.screenshot({ path: `${process.env.PICTURES}/${name}`, fullPage: true });
      }
      await page.evaluate(() => document.querySelectorAll('details').forEach((d) => { d.open = true; }));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (wide > 0) errors.push(`${wide} pixels too wide`);
      if (/\bNaN\b/.test(await page.evaluate(() => document.body.innerText))) errors.push('NaN');
      await page.addScriptTag({ path: axe });
      const found = await page.evaluate(() => axe.run(document, { resultTypes: ['violations'] }));
      for (const rule of found.violations) {
        errors.push(`${rule.id}: ${rule.help}: ${rule.nodes.slice(0, 3).map((n) => n.html.slice(0, 120)).join(' | ')}`);
      }
      const size = host === 'null' ? `${(statSync(path).size / 2 ** 20).toFixed(2)} MiB, ` : '';
      console.log(`${path} ${width} ${scheme}: ${size}${time.toFixed(0)} ms, ${errors.length} problems`);
      errors.forEach((error) => console.log(`  ${error}`));
      problems += errors.length;
      await page.close();
    }
  }
}
await browser.close();
process.exit(problems ? 1 : 0);
