import type { ApprovalRule } from '../access/approval.ts'
import type { Principal, StatementFacts } from '../access/model.ts'
import type { Approval, ApprovalAsked, ApprovalDecision, BoundStatement } from './ports.ts'

export const ISSUER = 'https://idp.test'

export function person(
  id: string,
  groups: readonly string[] = [],
  changed: Partial<Principal> = {},
): Principal {
  return { kind: 'user', id, issuer: ISSUER, subject: id, groups, attributes: {}, ...changed }
}

export const ana = person('ana', ['analysts'])
export const bo = person('bo', ['dba'])
export const cy = person('cy', ['dba', 'security'])
export const agentForAna = person('insight-agent', ['analysts'], { kind: 'agent', actingFor: ana })

export const facts: StatementFacts = {
  hasWhere: true,
  whereIsTrivial: false,
  functions: [],
  multi: false,
  locksRows: false,
  readOnly: false,
  reading: 'complete',
}

export function statement(changed: Partial<BoundStatement> = {}): BoundStatement {
  return {
    text: 'UPDATE orders SET status = $1 WHERE id = $2',
    reading: {
      operations: [
        {
          action: 'update',
          resource: { type: 'Table', schema: 'public', table: 'orders' },
          columns: ['status'],
        },
      ],
      needs: [{ verb: 'update', schema: 'public', table: 'orders', columns: ['status'] }],
      facts,
    },
    parameters: [
      { format: 0, type: 25, value: Buffer.from('refunded') },
      { format: 0, type: 23, value: Buffer.from('101') },
    ],
    executes: [],
    searchPath: ['public'],
    shape: 'UPDATE orders SET status = $1 WHERE id = $2',
    ...changed,
  }
}

export const rule = (changed: Partial<ApprovalRule> = {}): ApprovalRule => ({
  policy: 'writes-need-people',
  approvers: ['dba'],
  quorum: 1,
  ttlSeconds: 900,
  ...changed,
})

export function asked(changed: Partial<ApprovalAsked> = {}): ApprovalAsked {
  return {
    target: 'shop',
    database: 'shop',
    principal: agentForAna,
    policyVersion: 'v1',
    statement: statement(),
    need: { policies: ['writes-need-people'], rules: [rule()], reason: 'writes are looked at by people' },
    sessionId: 'ses_1',
    via: 'mcp',
    sourceIp: '127.0.0.1',
    durable: true,
    reported: { purpose: 'refund the duplicates' },
    ...changed,
  }
}

export const EPOCH = Date.UTC(2026, 0, 1)

export function approval(changed: Partial<Approval> = {}): Approval {
  return {
    id: 'apr_1',
    kind: 'statement',
    state: 'pending',
    digest: 'd',
    target: 'shop',
    database: 'shop',
    principal: agentForAna,
    policyVersion: 'v1',
    statement: undefined,
    need: asked().need,
    sessionId: 'ses_1',
    via: 'mcp',
    sourceIp: '127.0.0.1',
    durable: true,
    reported: {},
    preview: undefined,
    createdAt: new Date(EPOCH),
    expiresAt: new Date(EPOCH + 900_000),
    grantedAt: undefined,
    closedAt: undefined,
    closedBecause: undefined,
    uses: 0,
    grant: undefined,
    decisions: [],
    ...changed,
  }
}

export function decision(by: Principal, changed: Partial<ApprovalDecision> = {}): ApprovalDecision {
  return {
    person: { id: by.id, issuer: by.issuer, subject: by.subject },
    groups: by.groups,
    verdict: 'approve',
    reason: 'looked at it',
    surface: 'api',
    at: new Date(EPOCH + 1000),
    ...changed,
  }
}
