import { loadModule } from 'libpg-query'
import { beforeAll, describe, expect, it } from 'vitest'
import { readSql } from '../sql/read.fixture.ts'
import { withExecuted } from './executed-reading.ts'

beforeAll(() => loadModule())

describe('a statement that runs another one by its name', () => {
  it('does what that one does', () => {
    const inner = readSql('PREPARE p AS DELETE FROM orders')
    const reading = withExecuted(readSql('EXECUTE p'), 'prepared statement', 'p', inner)
    expect(reading.operations.map(({ action }) => action)).toContain('delete')
    expect(reading.facts).toMatchObject({ hasWhere: false, readOnly: false, reading: 'complete' })
  })

  it('has the result of that one', () => {
    const inner = readSql('DECLARE c CURSOR FOR SELECT * FROM customers')
    const fetched = withExecuted(readSql('FETCH ALL FROM c'), 'cursor', 'c', inner)
    expect(fetched.flow).toEqual({ ...inner.flow, declaresCursor: undefined })
    const several = withExecuted(readSql('SELECT 1; FETCH c'), 'cursor', 'c', inner)
    expect(several.flows?.[1]?.outputs).toEqual(inner.flow.outputs)
  })

  it.each(['EXPLAIN EXECUTE p', 'EXPLAIN ANALYZE EXECUTE p'])(
    'shows a plan with whatever in it: %s',
    (sql) => {
      const outer = withExecuted(readSql(sql), 'prepared statement', 'p', readSql('PREPARE p AS SELECT 1'))
      expect(outer.flow.outputs).toEqual([{ sources: 'anything', isPlain: false }])
    },
  )

  it('stores what was not followed', () => {
    const inner = readSql('PREPARE p AS SELECT * FROM customers')
    const { flow } = withExecuted(readSql('CREATE TABLE t AS EXECUTE p'), 'prepared statement', 'p', inner)
    expect(flow).toMatchObject({ outputs: [], stored: [{ from: 'anything', to: { name: 't' } }] })
  })

  it('is opaque where nobody has given the name to anything', () => {
    const reading = withExecuted(readSql('FETCH c'), 'cursor', 'c', undefined)
    expect(reading.facts.reading).toBe('opaque')
    expect(reading.opaqueBecause).toBe('there is no cursor "c" that this session has declared')
  })
})
