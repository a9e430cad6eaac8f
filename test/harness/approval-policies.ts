/** Agents read; what they write, people of the group `dba` look at first. */
export const APPROVAL_POLICIES = `
@id("agents-work")
permit (
  principal in Group::"agents",
  action in [Action::"connect", Action::"read", Action::"write", Action::"create", Action::"copyIn", Action::"set"],
  resource
);

@id("writes-are-looked-at")
@reason("people look at what changes notes")
@approvers("group:dba") @quorum("1") @ttl("15m")
forbid (
  principal,
  action in [Action::"delete", Action::"update", Action::"insert", Action::"truncate", Action::"create"],
  resource
)
unless { context has approval && context.approval.quorum >= 1 };
`
