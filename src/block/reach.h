/*
 * reach.h: references to nodes that cannot have run; private to this room.
 */
#ifndef WF_BLOCK_REACH_H
#define WF_BLOCK_REACH_H

#include "block/block.h"

/* Adds a warning for each node that reads the output of one that can't have run before it. */
extern void wf_block_warn_unreached(const WfGraph *graph, WfDiagnostics *found);

#endif
