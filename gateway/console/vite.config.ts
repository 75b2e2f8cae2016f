import vue from '@vitejs/plugin-vue'
import elementPlus from 'unplugin-element-plus/vite'
import { defineConfig } from 'vite'

// Two entries from one source: the console for PCs and the wall (index.html), the pages for phones (m.html, without a kit).
export default defineConfig({
  base: '/',
  plugins: [vue(), elementPlus({})],
  assetsInclude: ['**/*.bin'],
  build: {
    target: ['chrome87', 'safari14', 'firefox88'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: { input: ['index.html', 'm.html'] },
    chunkSizeWarningLimit: 700,
  },
})
