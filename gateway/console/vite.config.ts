import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import vue from '@vitejs/plugin-vue'
import elementPlus from 'unplugin-element-plus/vite'
import { build, defineConfig, type Plugin, type UserConfig } from 'vite'

// Two entries from one source: the console for PCs and the wall (index.html), the pages for phones (m.html, without a kit). They are built one
// after the other: what one of them needs of Vue is no weight for the other.
const both = {
  base: '/',
  assetsInclude: ['**/*.bin'],
  build: { target: ['chrome87', 'safari14', 'firefox88'], assetsInlineLimit: 0, modulePreload: { polyfill: false }, chunkSizeWarningLimit: 700 },
} satisfies UserConfig

/** The phone's service worker, with the list of all that the phone's pages are made of. */
function worker(): Plugin {
  const source = new URL('src/phone/sw.js', import.meta.url)
  return {
    name: 'phone-worker',
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter(name => name.startsWith('assets/')).sort().map(name => `/${name}`)
      const version = createHash('sha256').update(files.join()).digest('hex').slice(0, 12)
      const text = readFileSync(source, 'utf8').replace("'VERSION'", JSON.stringify(version)).replace("['FILES']", JSON.stringify(files))
      this.emitFile({ type: 'asset', fileName: 'sw.js', source: text })
    },
  }
}

function phone(): Plugin {
  return {
    name: 'phone',
    apply: 'build',
    async closeBundle() {
      await build({
        ...both,
        configFile: false,
        plugins: [vue(), worker()],
        define: { __VUE_OPTIONS_API__: 'false' },
        build: { ...both.build, emptyOutDir: false, copyPublicDir: false, rollupOptions: { input: 'm.html' } },
      })
    },
  }
}

export default defineConfig({
  ...both,
  plugins: [vue(), elementPlus({}), phone()],
  build: { ...both.build, rollupOptions: { input: 'index.html' } },
})
