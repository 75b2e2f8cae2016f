// Sends a file in pieces: what breaks off goes on where it stopped, and a photo is made small before it leaves the phone.
import { call } from '../api/call'
import { Fault } from '../api/fault'
import { prepare, reach, refused } from '../api/http'
import { key } from '../api/call'
import type { Attachment, Attachment_Visibility } from '../gen/ticketing'

const PIECE = 1 << 20
const LARGEST_SIDE = 1600

const LIGHT = 300_000

// Older Safari has no createImageBitmap.
async function decoded(file: Blob): Promise<ImageBitmap | HTMLImageElement | undefined> {
  if ('createImageBitmap' in globalThis) return createImageBitmap(file).catch(() => undefined)
  const picture = new Image()
  picture.src = URL.createObjectURL(file)
  await picture.decode().catch(() => {})
  URL.revokeObjectURL(picture.src)
  return picture.width ? picture : undefined
}

/** A photo of at most 1,600 pixels a side, as JPEG; what is small already, and anything else, as it is. */
export async function small(file: File): Promise<Blob> {
  if (!file.type.startsWith('image/')) return file
  const picture = await decoded(file)
  if (!picture) return file
  const scale = Math.min(1, LARGEST_SIDE / Math.max(picture.width, picture.height))
  if (scale === 1 && file.size < LIGHT) return file
  const canvas = document.createElement('canvas')
  canvas.width = Math.round(picture.width * scale)
  canvas.height = Math.round(picture.height * scale)
  canvas.getContext('2d')!.drawImage(picture, 0, 0, canvas.width, canvas.height)
  const made = await new Promise<Blob | null>(done => canvas.toBlob(done, 'image/jpeg', 0.86))
  return made && (scale < 1 || made.size < file.size) ? made : file
}

function kindOf(file: File): 'PHOTO' | 'DOCUMENT' | 'AUDIO' {
  if (file.type.startsWith('image/')) return 'PHOTO'
  return file.type.startsWith('audio/') ? 'AUDIO' : 'DOCUMENT'
}

export interface Upload {
  ticket?: string
  visibility?: Attachment_Visibility
  progress?: (share: number) => void
  /** The same wish again keeps its key, and so its attachment. */
  key?: string
}

/** Sends it whole and answers what is kept. */
export async function upload(file: File, { ticket, visibility, progress, key: earlier }: Upload = {}): Promise<Attachment> {
  const blob = await small(file)
  const announced = { ticket_id: ticket ?? '', name: file.name || 'photo.jpg', kind: kindOf(file), size_bytes: String(blob.size), visibility: visibility ?? ('ENTERPRISE' as const) }
  let attachment = await call('AttachmentService.CreateUpload', announced, { key: earlier ?? key() })
  for (let failures = 0; attachment.state === 'UPLOADING' && Number(attachment.stored_bytes) < blob.size; ) {
    try {
      attachment = await append(attachment.id, blob, Number(attachment.stored_bytes))
      progress?.(Number(attachment.stored_bytes) / blob.size)
    } catch (error) {
      if (!(error instanceof Fault) || !error.isOpen || ++failures > 5) throw error
      await new Promise(done => setTimeout(done, 1000 * failures))
      attachment = await call('AttachmentService.GetAttachment', { attachment_id: attachment.id })
    }
  }
  return attachment.state === 'UPLOADING' ? call('AttachmentService.FinishUpload', { attachment_id: attachment.id }) : attachment
}

// Bytes travel as they are, not as JSON or messages: one way for both entries.
async function append(id: string, blob: Blob, offset: number): Promise<Attachment> {
  const [url, init] = prepare({ name: 'AttachmentService.AppendUpload', request: { attachment_id: id } })
  const headers = { ...(init.headers as Record<string, string>), 'content-type': 'application/octet-stream' }
  const answer = await reach(`${url}?offset=${offset}`, { ...init, headers, body: blob.slice(offset, offset + PIECE) })
  if (!answer.ok) throw await refused(answer)
  return (await answer.json()) as Attachment
}
