// The compiled contract at run time: what forms are made from on both entries, and messages on the console's way.
import { createFileRegistry, fromBinary, type DescMethod, type FileRegistry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import contract from '../gen/contract.bin?url'

let loaded: Promise<FileRegistry> | undefined

/** The contract, fetched once. */
export function registry(): Promise<FileRegistry> {
  loaded ??= fetch(contract)
    .then(answer => answer.arrayBuffer())
    .then(bytes => createFileRegistry(fromBinary(FileDescriptorSetSchema, new Uint8Array(bytes))))
  loaded.catch(() => (loaded = undefined))
  return loaded
}

const found = new Map<string, DescMethod>()

/** An RPC by `Service.Method`. */
export async function method(name: string): Promise<DescMethod> {
  const known = await registry()
  if (found.size === 0) {
    for (const type of known) {
      if (type.kind === 'service') for (const rpc of type.methods) found.set(`${type.name}.${rpc.name}`, rpc)
    }
  }
  const rpc = found.get(name)
  if (!rpc) throw new Error(`${name} is not in the contract`)
  return rpc
}
