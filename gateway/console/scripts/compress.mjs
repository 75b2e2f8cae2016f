// Beside every file of text that is served: the same in brotli and gzip, so that the gateway compresses nothing while it serves.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'

const folder = new URL('../dist/', import.meta.url)
const TEXT = /\.(html|js|css|svg|json|txt|webmanifest|bin)$/

for (const path of readdirSync(folder, { recursive: true })) {
  if (!TEXT.test(path)) continue
  const file = new URL(path, folder)
  const bytes = readFileSync(file)
  if (bytes.length < 256) continue
  writeFileSync(`${file.pathname}.br`, brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } }))
  writeFileSync(`${file.pathname}.gz`, gzipSync(bytes, { level: 9 }))
}
