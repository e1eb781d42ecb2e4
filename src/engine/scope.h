/*
 * scope.h: what names are worth in a step. Private to this room.
 */
#ifndef WF_ENGINE_SCOPE_H
#define WF_ENGINE_SCOPE_H

#include "engine/state.h"

/* Sets up the scope of a step of this frame. */
extern void wf_scope_begin(StepScope *scope, Run *run, Frame *frame, const JsonbValue *input);

#endif
