/*
 * code.h: calls of code for the account of a run's tenant. Private to this room.
 */
#ifndef WF_ENGINE_CODE_H
#define WF_ENGINE_CODE_H

#include "engine/state.h"

/* Lowers limits to those of the run's tenant. */
extern void wf_code_limits(Run *run, WfCodeLimits *limits);
/* wf_sandbox_call for a node; what it takes counts for the tenant's quota. Throws WF016 when that is used up. */
extern Jsonb *wf_code_call(Run *run, const WfNode *node, const WfCodeCall *call, WfError **error);
/* Tells the trail of limits that code went over in this segment, which is over: outside of what is rolled back with it. */
extern void wf_code_record(Run *run);

#endif
