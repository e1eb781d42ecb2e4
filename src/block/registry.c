/*
 * registry.c: which blocks there are, and what the graph room may ask of them.
 *
 * The table is made from blocklist.h, sorted by type, so that finding a block is a binary search and
 * listing them needs no second list. What is not built in is asked of the hook that the engine fills
 * (blocks that a tenant registered); a built-in type can't be taken over by it.
 *
 * The graph room sits below this one and knows blocks only through the callbacks at the end of this
 * file: each asks a member or a flag of the block, so there is no switch over types anywhere.
 */
#include "postgres.h"

#include "base/text.h"
#include "block/block.h"
#include "block/check.h"

#define WF_BLOCK(type, symbol) &symbol,
static const WfBlock *const blocks[] = {
#include "block/blocklist.h"
};
#undef WF_BLOCK

#define WF_BLOCK(type, symbol) type,
static const char *const block_types[] = {
#include "block/blocklist.h"
};
#undef WF_BLOCK

const WfBlock *(*wf_block_find_custom) (const char *type) = NULL;

int
wf_block_builtin_index(const char *type)
{
	int			low = 0;
	int			high = lengthof(blocks) - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		int			order = strcmp(type, block_types[middle]);

		if (order == 0)
			return middle;
		if (order < 0)
			high = middle - 1;
		else
			low = middle + 1;
	}
	return -1;
}

int
wf_block_builtin_count(void)
{
	return lengthof(blocks);
}

const WfBlock *
wf_block_find(const char *type)
{
	int			index = wf_block_builtin_index(type);

	if (index >= 0)
		return blocks[index];
	return wf_block_find_custom == NULL ? NULL : wf_block_find_custom(type);
}

const char *
wf_block_nearest(const char *type)
{
	return wf_text_nearest(type, block_types, lengthof(block_types));
}

const WfBlock *const *
wf_block_list(int *n)
{
	*n = lengthof(blocks);
	return blocks;
}

/* -- what the graph room asks -- */

static const WfBlock *
graph_find(void *arg, const char *type)
{
	return wf_block_find(type);
}

static const char *
graph_nearest(void *arg, const char *type)
{
	return wf_block_nearest(type);
}

static bool
graph_is_container(const WfBlock *block)
{
	return (block->flags & WF_BLOCK_CONTAINER) != 0;
}

static bool
graph_is_trigger(const WfBlock *block)
{
	return (block->flags & WF_BLOCK_TRIGGER) != 0;
}

static bool
graph_suspends(const WfBlock *block, const WfNode *node)
{
	if (block->suspends != NULL)
		return block->suspends(node);
	return (block->flags & WF_BLOCK_SUSPENDS) != 0;
}

static void
graph_ports(const WfNode *node, int *n, const char *const **ports)
{
	const WfBlock *block = node->block;

	if (block->node_ports != NULL)
	{
		*ports = block->node_ports(node, n);
		return;
	}
	*ports = block->ports;
	for (*n = 0; block->ports[*n] != NULL; (*n)++)
		;
}

static void
graph_branches(const WfNode *node, int *n, const char *const **names)
{
	static const char *const unnamed[] = {NULL};

	if (node->block->branches != NULL)
	{
		*names = node->block->branches(node, n);
		return;
	}
	*names = unnamed;
	*n = 1;
}

static bool
graph_catches(const WfNode *container, const char *branch)
{
	const WfBlock *block = container->block;

	return block->catches != NULL && block->catches(container, branch);
}

const WfGraphBlocks *
wf_block_graph_callbacks(void)
{
	static const WfGraphBlocks callbacks = {
		.find = graph_find,
		.nearest = graph_nearest,
		.is_container = graph_is_container,
		.is_trigger = graph_is_trigger,
		.suspends = graph_suspends,
		.ports = graph_ports,
		.branches = graph_branches,
		.catches = graph_catches,
		.check = wf_block_check,
		.check_broken = wf_block_check_broken,
	};

	return &callbacks;
}
