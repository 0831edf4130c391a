// Partitions as they are typed: topic/number.
import { readFileSync } from 'node:fs'
import { parse } from 'yaml'
import type { PartitionTarget } from '../wire/messages.ts'
import { CliError, exitCodes } from './exit.ts'

/** More than any cluster has; a file of this many is not one of moves. */
const fileBytesMax = 16 * 1024 * 1024
const brokerIdMax = 2 ** 31 - 1

export interface PartitionName {
  readonly topic: string
  readonly partition: number
}

export function partitionText ({ topic, partition }: PartitionName): string {
  return `${topic}/${partition}`
}

/** `orders/3`; without a number the partition is undefined. */
export function parseName (text: string): { topic: string, partition: number | undefined } {
  const match = /^([a-zA-Z0-9._-]{1,249})(?:\/(\d{1,7}))?$/.exec(text)
  if (match === null) throw usage(`'${text}' is neither topic/partition nor a topic; orders/3 is meant so`)
  return { topic: match[1]!, partition: match[2] === undefined ? undefined : Number(match[2]) }
}

export function parsePartition (text: string): PartitionName {
  const { topic, partition } = parseName(text)
  if (partition === undefined) throw usage(`'${text}' names a topic; name one of its partitions: ${text}/0`)
  return { topic, partition }
}

/**
 * Moves from a file, YAML or JSON: a list of `{topic, partition, replicas}`, or that list as `partitions` of an
 * object, which is what Kafka's tools write. No replicas: the move under way is given up.
 */
export function readTargets (path: string): PartitionTarget[] {
  let text: string
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8')
  } catch (error) {
    throw new CliError(`${path} cannot be read: ${(error as Error).message}`)
  }
  if (text.length > fileBytesMax) throw usage(`${path} is larger than ${fileBytesMax} bytes`)
  return parseTargets(text, path)
}

export function parseTargets (text: string, path: string): PartitionTarget[] {
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch (error) {
    throw usage(`${path} is neither YAML nor JSON: ${(error as Error).message.split('\n')[0]}`)
  }
  const { partitions: inside } = (parsed ?? {}) as { partitions?: unknown }
  const list = Array.isArray(parsed) ? parsed as unknown[] : inside
  if (!Array.isArray(list) || list.length === 0) {
    throw usage(`${path}: a list of {topic, partition, replicas} is wanted`)
  }
  return list.map((entry: unknown, index) => toTarget(entry, `${path}, entry ${index + 1}`))
}

function toTarget (entry: unknown, where: string): PartitionTarget {
  const { topic, partition, replicas = [] } = (entry ?? {}) as
    { topic?: unknown, partition?: unknown, replicas?: unknown }
  if (typeof topic !== 'string' || !isNumber(partition) || !Array.isArray(replicas) || !replicas.every(isNumber)) {
    throw usage(`${where}: {topic: orders, partition: 3, replicas: [1, 2, 3]} is meant so`)
  }
  return { topic, partition, replicas }
}

function isNumber (value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= brokerIdMax
}

function usage (message: string): CliError {
  return new CliError(message, exitCodes.usage)
}
