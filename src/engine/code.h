/*
 * code.h: calls of code for the account of a run's tenant. Private to this room.
 */
#ifndef WF_ENGINE_CODE_H
#define WF_ENGINE_CODE_H

#include "engine/state.h"

/* Lowers limits to those of the run's tenant. */
extern void wf_code_limits(Run *run, WfCodeLimits *limits);
/* wf_sandbox_call; what it takes counts for the tenant's quota. Throws WF016 when that is used up. */
extern Jsonb *wf_code_call(Run *run, const WfCodeCall *call, WfError **error);

#endif
