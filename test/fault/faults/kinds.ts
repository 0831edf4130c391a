// Every kind of fault, and what a machine must have for it.
import { execFileSync } from 'node:child_process'
import { changeKinds } from './change-kinds.ts'
import { diskKinds } from './disk-kinds.ts'
import { groupKinds } from './group-kinds.ts'
import type { FaultKind, Need } from './kind.ts'
import { networkKinds } from './network-kinds.ts'
import { processKinds } from './process-kinds.ts'
import { recoverKind } from './recover-kind.ts'
import { throttledMoveKind } from './throttled-move-kind.ts'

export const faultKinds: readonly FaultKind[] = [
  ...processKinds, ...networkKinds, ...diskKinds, ...changeKinds, throttledMoveKind, recoverKind, ...groupKinds
]

function succeeds (command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const checks: Readonly<Record<Need, { has (): boolean, how: string }>> = {
  strace: {
    // To attach to a running process takes more than to trace a child.
    has: () => succeeds('sh', ['-c', 'sleep 0.3 & exec strace -qq -o /dev/null -e trace=none -p $!']),
    how: 'strace, and the right to trace processes (Debian: apt-get install strace; Docker: --cap-add SYS_PTRACE)'
  },
  'loop devices': {
    has: () => process.getuid?.() === 0 && succeeds('losetup', ['-f']) && succeeds('mkfs.ext4', ['-V']),
    how: 'root, loop devices and mkfs.ext4 (Docker: --privileged)'
  }
}

/** What this machine lacks for these kinds, each in a line that says how to get it. */
export function lacking (kinds: readonly FaultKind[]): string[] {
  const needs = new Set(kinds.flatMap(kind => kind.needs ?? []))
  return [...needs].filter(need => !checks[need].has()).map(need => {
    const names = kinds.filter(kind => kind.needs?.includes(need)).map(({ name }) => `'${name}'`)
    return `${names.join(', ')} need ${checks[need].how}`
  })
}
