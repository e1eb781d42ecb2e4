/*
 * blocklist.h: every built-in block, sorted by type (as strcmp sorts); included by block.h for the
 * declarations and by registry.c for the tables. A test asserts the order. Columns: type, symbol.
 */
WF_BLOCK("collect", wf_block_collect)
WF_BLOCK("fail", wf_block_raise)
WF_BLOCK("filter", wf_block_filter)
WF_BLOCK("if", wf_block_if)
WF_BLOCK("loop", wf_block_loop)
WF_BLOCK("merge", wf_block_merge)
WF_BLOCK("noop", wf_block_noop)
WF_BLOCK("parallel", wf_block_parallel)
WF_BLOCK("return", wf_block_return)
WF_BLOCK("set", wf_block_set)
WF_BLOCK("subworkflow", wf_block_subworkflow)
WF_BLOCK("switch", wf_block_switch)
WF_BLOCK("transform", wf_block_transform)
WF_BLOCK("trigger.manual", wf_block_trigger_manual)
WF_BLOCK("try", wf_block_try)
