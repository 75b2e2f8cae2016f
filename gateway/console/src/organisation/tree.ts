// The tree of party organisations as a list in its own order: parents before children, siblings by code. Pure.
import type { Organisation } from '../gen/party'

export interface Node {
  one: Organisation
  depth: number
  children: Node[]
}

/** Roots with what is below them. What has no parent in the list is a root. */
export function grow(all: Organisation[]): Node[] {
  const nodes = new Map(all.map(one => [one.id, { one, depth: 0, children: [] as Node[] }]))
  const roots: Node[] = []
  for (const one of all) {
    const parent = nodes.get(one.parent_id)
    if (parent) parent.children.push(nodes.get(one.id)!)
    else roots.push(nodes.get(one.id)!)
  }
  const settle = (list: Node[], depth: number): Node[] => {
    list.sort((a, b) => a.one.code.localeCompare(b.one.code, 'en', { numeric: true }))
    for (const node of list) {
      node.depth = depth
      settle(node.children, depth + 1)
    }
    return list
  }
  return settle(roots, 0)
}

/** Every node whose parents are all open, in the order in which they are shown. */
export function flat(nodes: Node[], isOpen: (id: string) => boolean = () => true): Node[] {
  return nodes.flatMap(node => [node, ...(isOpen(node.one.id) ? flat(node.children, isOpen) : [])])
}
