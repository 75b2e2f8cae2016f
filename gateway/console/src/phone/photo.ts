// Sends a photo, once at a time: a form and the outbox that want the same photo sent wait for the same upload.
import type { Attachment } from '../gen/ticketing'
import { upload } from '../parts/upload'
import type { Photo } from './draft'

const underWay = new Map<string, Promise<Attachment>>()

export function sendPhoto(photo: Photo, ticket?: string, progress?: (share: number) => void): Promise<Attachment> {
  const running = underWay.get(photo.key)
  if (running) return running
  const file = new File([photo.blob], photo.name, { type: photo.type })
  const sending = upload(file, { key: photo.key, ...(ticket ? { ticket } : {}), ...(progress ? { progress } : {}) }).finally(() => underWay.delete(photo.key))
  underWay.set(photo.key, sending)
  return sending
}
