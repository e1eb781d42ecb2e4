/*
 * needed.h: which outputs a suspended run still needs. Private to this room.
 */
#ifndef WF_ENGINE_NEEDED_H
#define WF_ENGINE_NEEDED_H

#include "engine/state.h"
#include "nodes/bitmapset.h"

/* Nodes whose output something that may still run can read; in CurrentMemoryContext. */
extern Bitmapset *wf_needed_outputs(Run *run, const Activation *activation);

/* Does something in the region, or within, name `$items`? */
extern bool wf_needed_items(WfCompiled *compiled, int region);

/* Nodes that the region's nodes, and those within them, read. */
extern Bitmapset *wf_needed_by_region(WfCompiled *compiled, int region);

#endif
