/*
 * scope.h: what names are worth in a step. Private to this room.
 */
#ifndef WF_ENGINE_SCOPE_H
#define WF_ENGINE_SCOPE_H

#include "engine/state.h"

/* Sets up a scope within this frame. */
extern void wf_scope_begin(StepScope *scope, Run *run, Frame *frame, const JsonbValue *input);
/* The same for the expressions of a step: its own scope, in which secrets can be named. */
extern void wf_scope_begin_step(Run *run, Frame *frame, OpenStep *open);

/* Throws 42501 when current_user may not use credentials of the run's tenant, WF013 when there is none of this name, 22023 when
 * its type is not for this. */
extern void wf_scope_use_credential(const Run *run, const char *name, WfCredentialUse use);

#endif
