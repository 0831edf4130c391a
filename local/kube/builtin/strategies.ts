// What a real server's Go code does with a kind beyond its schema: which resource has which.
import { crdStrategy } from './crd.ts'
import type { Strategy } from '../registry/resource.ts'

export const strategies: Record<string, Strategy> = {
  'customresourcedefinitions.apiextensions.k8s.io': crdStrategy
}
