import type { types } from '@slack/bolt'
import type { Approval } from '../ports.ts'
import { preformatted, statementText } from './message.ts'

export const DECIDE = 'sallyport_decide'
export const REASON_BLOCK = 'reason'
export const REASON_INPUT = 'text'

/** The dialog that asks for the reason; it shows the statement again, so that it is what is decided about. */
export function reasonModal(approval: Approval, verdict: 'approve' | 'deny', token: string): types.ModalView {
  const shown = approval.statement === undefined ? 'connect' : statementText(approval.statement)
  return {
    type: 'modal',
    callback_id: DECIDE,
    private_metadata: token,
    title: { type: 'plain_text', text: verdict === 'approve' ? 'Approve' : 'Deny' },
    submit: { type: 'plain_text', text: verdict === 'approve' ? 'Approve' : 'Deny' },
    close: { type: 'plain_text', text: 'Cancel' },
    blocks: [
      preformatted(shown),
      {
        type: 'input',
        block_id: REASON_BLOCK,
        label: { type: 'plain_text', text: 'Why?' },
        element: {
          type: 'plain_text_input',
          action_id: REASON_INPUT,
          multiline: true,
          min_length: 1,
          max_length: 2000,
        },
      },
    ],
  }
}
