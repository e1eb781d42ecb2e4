/*
 * options.h: reading the options of a start. Private to this room.
 */
#ifndef WF_ENGINE_OPTIONS_H
#define WF_ENGINE_OPTIONS_H

#include "engine/state.h"

/* Fills `options` in CurrentMemoryContext; throws 22023 for an unknown or wrong one, and for one that has no meaning for
 * a run in the caller's transaction. */
extern void wf_engine_read_options(const Jsonb *json, bool in_background, RunOptions *options);

/* The same for wf_retry, which takes `version` and `priority`. */
extern void wf_engine_read_retry_options(const Jsonb *json, RunOptions *options);

#endif
