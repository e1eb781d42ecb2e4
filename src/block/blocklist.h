/*
 * blocklist.h: every built-in block, sorted by type (as strcmp sorts); included by block.h for the
 * declarations and by registry.c for the tables. A test asserts the order. Columns: type, symbol.
 */
WF_BLOCK("fail", wf_block_raise)
WF_BLOCK("filter", wf_block_filter)
WF_BLOCK("if", wf_block_if)
WF_BLOCK("noop", wf_block_noop)
WF_BLOCK("return", wf_block_return)
WF_BLOCK("set", wf_block_set)
WF_BLOCK("switch", wf_block_switch)
WF_BLOCK("trigger.manual", wf_block_trigger_manual)
