/*
 * graph_test.h: what the test files of this room share.
 */
#ifndef WF_GRAPH_GRAPH_TEST_H
#define WF_GRAPH_GRAPH_TEST_H

#include "graph/graph.h"

extern const WfGraphBlocks wf_graph_test_blocks;

#endif
