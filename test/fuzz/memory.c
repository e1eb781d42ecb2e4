/*
 * memory.c: memory contexts in which every chunk is a block of malloc's, for fuzzing.
 *
 * PostgreSQL carves many chunks out of one block, so AddressSanitizer cannot see a chunk overrun or used
 * after its context was reset. The library that is fuzzed is compiled with AllocSetContextCreateInternal
 * renamed to wf_fuzz_context_create: each context that it makes is one of these, and each chunk has red
 * zones of its own. Contexts that the server makes stay as they are.
 *
 * A chunk is a header and the caller's bytes; the header's last word is the context, which is where
 * PostgreSQL 15 looks for it. Later versions dispatch by a tag within the word: there this file is not
 * compiled in, and contexts are the server's own.
 */
#include "postgres.h"

#include "nodes/memnodes.h"
#include "utils/memutils.h"

typedef struct Chunk
{
	struct Chunk *next;
	struct Chunk *prev;
	Size		size;
	MemoryContext context;
} Chunk;

typedef struct FuzzContext
{
	MemoryContextData header;
	Chunk		chunks;			/* head of the ring */
} FuzzContext;

StaticAssertDecl(sizeof(Chunk) % MAXIMUM_ALIGNOF == 0, "chunks are aligned");

MemoryContext wf_fuzz_context_create(MemoryContext parent, const char *name, Size min_size, Size init_size, Size max_size);

static Chunk *
chunk_of(void *pointer)
{
	return (Chunk *) pointer - 1;
}

static void *
fuzz_alloc(MemoryContext context, Size size)
{
	Chunk	   *head = &((FuzzContext *) context)->chunks;
	Chunk	   *chunk = malloc(sizeof(Chunk) + size);

	if (chunk == NULL)
		return NULL;
	chunk->size = size;
	chunk->context = context;
	chunk->next = head->next;
	chunk->prev = head;
	head->next->prev = chunk;
	head->next = chunk;
	context->mem_allocated += size;
	return chunk + 1;
}

static void
fuzz_free(MemoryContext context, void *pointer)
{
	Chunk	   *chunk = chunk_of(pointer);

	chunk->prev->next = chunk->next;
	chunk->next->prev = chunk->prev;
	context->mem_allocated -= chunk->size;
	free(chunk);
}

/* Always moves, so that who keeps the old pointer is seen. */
static void *
fuzz_realloc(MemoryContext context, void *pointer, Size size)
{
	void	   *moved = fuzz_alloc(context, size);

	if (moved == NULL)
		return NULL;
	memcpy(moved, pointer, Min(size, chunk_of(pointer)->size));
	fuzz_free(context, pointer);
	return moved;
}

static void
fuzz_reset(MemoryContext context)
{
	Chunk	   *head = &((FuzzContext *) context)->chunks;

	while (head->next != head)
		fuzz_free(context, head->next + 1);
}

static void
fuzz_delete(MemoryContext context)
{
	fuzz_reset(context);
	free(context);
}

static Size
fuzz_chunk_space(MemoryContext context, void *pointer)
{
	return chunk_of(pointer)->size + sizeof(Chunk);
}

static bool
fuzz_is_empty(MemoryContext context)
{
	Chunk	   *head = &((FuzzContext *) context)->chunks;

	return head->next == head;
}

static void
fuzz_stats(MemoryContext context, MemoryStatsPrintFunc print, void *passthru, MemoryContextCounters *totals,
		   bool print_to_stderr)
{
	if (totals != NULL)
		totals->totalspace += context->mem_allocated;
}

#ifdef MEMORY_CONTEXT_CHECKING
static void
fuzz_check(MemoryContext context)
{
}
#endif

static const MemoryContextMethods methods = {
	.alloc = fuzz_alloc,
	.free_p = fuzz_free,
	.realloc = fuzz_realloc,
	.reset = fuzz_reset,
	.delete_context = fuzz_delete,
	.get_chunk_space = fuzz_chunk_space,
	.is_empty = fuzz_is_empty,
	.stats = fuzz_stats,
#ifdef MEMORY_CONTEXT_CHECKING
	.check = fuzz_check,
#endif
};

/* Takes the place of AllocSetContextCreateInternal; sizes do not matter. */
MemoryContext
wf_fuzz_context_create(MemoryContext parent, const char *name, Size min_size, Size init_size, Size max_size)
{
	FuzzContext *context = calloc(1, sizeof(FuzzContext));

	if (context == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	context->chunks.next = context->chunks.prev = &context->chunks;
	MemoryContextCreate(&context->header, T_AllocSetContext, &methods, parent, name);
	return &context->header;
}
