import vue from '@vitejs/plugin-vue'
import elementPlus from 'unplugin-element-plus/vite'
import { defineConfig } from 'vite'
const to = { target: 'http://127.0.0.1:8090', changeOrigin: false, configure: proxy => proxy.on('proxyReq', (out, req) => { const t = /dev=([^;]+)/.exec(req.headers.cookie ?? '')?.[1]; if (t) out.setHeader('authorization', 'Bearer ' + t); out.removeHeader('cookie') }) }
export default defineConfig({ base: '/', plugins: [{ name: 'json', enforce: 'pre', transform: (code, id) => (id.endsWith('console/main.ts') ? code.replace('travel(grpc)', '') : undefined) }, vue(), elementPlus({})], assetsInclude: ['**/*.bin'], cacheDir: '/tmp/adm/vite', optimizeDeps: { include: ['element-plus'] }, server: { port: 5291, host: '127.0.0.1', strictPort: true, hmr: false, proxy: { '^/t/\\d+/(v1|drumtower\\.|open311)': to, '^/(v1/|drumtower\\.)': to } } })
