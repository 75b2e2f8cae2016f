// What a call can end with instead of an answer. One shape, whichever way it came.
import { english } from '../words/language'

/** A field at fault and why. */
export interface Violation {
  field: string
  description: string
}

/** A refusal, or that no answer came (`status` is then `UNREACHED`). */
export class Fault extends Error {
  status: string
  reason = ''
  metadata: Record<string, string> = {}
  fields: Violation[] = []
  requestId = ''

  constructor(status: string, message: string, more: Partial<Fault> = {}) {
    super(message)
    this.status = status
    Object.assign(this, more)
  }

  /** Nothing is known of what became of the call: the same key may be sent again. */
  get isOpen() {
    return ['UNREACHED', 'UNAVAILABLE', 'DEADLINE_EXCEEDED'].includes(this.status)
  }
}

interface Body {
  error?: { status: string; message: string; details?: Record<string, unknown>[] }
}

/** The fault in an answer that was no success. */
export function ofJson(body: Body, requestId: string): Fault {
  const error = body.error
  if (!error) return new Fault('UNKNOWN', english() ? 'The answer was not understood' : '服务器的回答无法识别', { requestId })
  const fault = new Fault(error.status, error.message, { requestId })
  for (const detail of error.details ?? []) {
    if (String(detail['@type']).endsWith('ErrorInfo')) {
      fault.reason = String(detail.reason)
      fault.metadata = (detail.metadata ?? {}) as Record<string, string>
    }
    if (detail.field_violations) fault.fields = detail.field_violations as Violation[]
    if (String(detail['@type']).endsWith('LocalizedMessage') && !english()) fault.message = String(detail.message)
    if (detail.request_id) fault.requestId = String(detail.request_id)
  }
  return fault
}

/** No answer came. */
export function unreached(): Fault {
  return new Fault('UNREACHED', english() ? 'The server was not reached. What you typed is safe.' : '连接不上服务器，已填写的内容不会丢失')
}
