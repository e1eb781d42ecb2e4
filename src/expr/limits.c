/*
 * limits.c: the beginning and the end of an evaluation, its arena, its limits and its errors.
 *
 * The first chunk of the arena is part of WfEval, which lives on the C stack; later chunks are
 * palloc'ed in the memory context that was current and freed at the end. After a throw they go with
 * that context. So an evaluation that needs little allocates nothing, and none needs a memory
 * context or a PG_TRY of its own.
 *
 * Time is counted in operations ("fuel"): only when the tank is empty are interrupts and the clock
 * looked at. The clock starts at the first such look, so short evaluations never read it.
 */
#include "postgres.h"

#include "base/error.h"
#include "base/settings.h"
#include "expr/internal.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#define CHUNK_MIN	8192
#define CHUNK_MAX	(1024 * 1024)
#define DETAIL_MAX	300			/* bytes of the source shown in an error */

/* Prepares `ev`, which lives on the caller's stack. Cheap: it clears the few members only. */
void
wf_expr_begin(WfEval *ev, const WfExpr *expr, WfScope *scope)
{
	ev->free = ev->first;
	ev->end = ev->first + WF_EXPR_FIRST_CHUNK;
	ev->chunks = NULL;
	ev->used = 0;
	ev->output = 0;
	ev->expr = expr;
	ev->scope = scope;
	ev->env = NULL;
	ev->pos = 0;
	ev->fuel = WF_EXPR_FUEL;
	ev->calls = 0;
	ev->chain_broken = false;
	ev->deadline = 0;
	ev->cursor_str = NULL;
	ev->units_str = NULL;
}

/* Frees the arena. */
void
wf_expr_end(WfEval *ev)
{
	while (unlikely(ev->chunks != NULL))
	{
		WfChunk    *next = ev->chunks->next;

		pfree(ev->chunks);
		ev->chunks = next;
	}
}

/* Throws WF009 when `bytes` more would be over the limit of memory. */
void
wf_expr_check_size(WfEval *ev, double bytes)
{
	double		limit = (double) wf_setting_expression_memory * 1024.0;

	if (unlikely(bytes + (double) ev->used > limit))
		wf_expr_over(ev, "expression needs more than %d kB of memory", wf_setting_expression_memory);
}

/* Accounts for `bytes` of the result; throws WF009 when it grows beyond the limit of memory. */
void
wf_expr_put_out(WfEval *ev, Size bytes)
{
	ev->output += bytes;
	if (unlikely(ev->output > (Size) wf_setting_expression_memory * 1024))
		wf_expr_over(ev, "result of the expression is larger than %d kB", wf_setting_expression_memory);
}

/* The slow path of wf_expr_alloc: a new chunk. What is left of the last one is given up. */
void *
wf_expr_alloc_chunk(WfEval *ev, Size size)
{
	Size		want = ev->chunks == NULL ? CHUNK_MIN : Min(ev->chunks->size * 2, CHUNK_MAX);
	bool		apart = size > want / 2;
	WfChunk    *chunk;

	if (apart)
		want = size + sizeof(WfChunk);
	wf_expr_check_size(ev, (double) want);
	chunk = MemoryContextAllocExtended(CurrentMemoryContext, want, MCXT_ALLOC_HUGE);
	chunk->size = want;
	ev->used += want;
	if (apart && ev->chunks != NULL)
	{
		/* keep filling the chunk in use */
		chunk->next = ev->chunks->next;
		ev->chunks->next = chunk;
		return (char *) chunk + sizeof(WfChunk);
	}
	chunk->next = ev->chunks;
	ev->chunks = chunk;
	ev->free = (char *) chunk + sizeof(WfChunk) + size;
	ev->end = (char *) chunk + want;
	return (char *) chunk + sizeof(WfChunk);
}

/*
 * Makes room for `size` bytes, the first `old_size` of which are those at `old`. A large block that has
 * a chunk of its own grows in place or is given back, so that growing by doubling wastes nothing;
 * nobody else may hold a pointer into it.
 */
void *
wf_expr_regrow(WfEval *ev, void *old, Size old_size, Size size)
{
	void	   *grown;

	wf_expr_check_size(ev, (double) size - (double) old_size);
	for (WfChunk **link = &ev->chunks; old_size > CHUNK_MIN && *link != NULL; link = &(*link)->next)
	{
		WfChunk    *chunk = *link;

		if ((char *) chunk + sizeof(WfChunk) != old || chunk->size != MAXALIGN(old_size) + sizeof(WfChunk))
			continue;
		if (ev->end == (char *) chunk + chunk->size)
			break;				/* the chunk in use */
		ev->used += size - old_size;
		chunk = repalloc_huge(chunk, MAXALIGN(size) + sizeof(WfChunk));
		chunk->size = MAXALIGN(size) + sizeof(WfChunk);
		*link = chunk;
		return (char *) chunk + sizeof(WfChunk);
	}
	grown = wf_expr_alloc(ev, size);
	if (old_size > 0)
		memcpy(grown, old, old_size);
	return grown;
}

/* Looks at interrupts and at the clock; throws WF009 when the time is up. */
void
wf_expr_refuel(WfEval *ev)
{
	TimestampTz now;

	CHECK_FOR_INTERRUPTS();
	ev->fuel = WF_EXPR_FUEL;
	now = GetCurrentTimestamp();
	if (ev->deadline == 0)
		ev->deadline = now + (int64) wf_setting_expression_time * 1000;
	else if (now > ev->deadline)
		wf_expr_over(ev, "expression takes longer than %d ms", wf_setting_expression_time);
}

/* Throws WF009 instead of PostgreSQL's 54001 when the stack is nearly used up. */
void
wf_expr_check_stack(WfEval *ev)
{
	if (unlikely(stack_is_too_deep()))
		wf_expr_over(ev, "expression is nested too deeply");
}

/* Raises the error with the source and the position in the detail; the hint may be NULL. */
void
wf_expr_raise(WfEval *ev, int sqlstate, const char *message, const char *hint)
{
	const WfExpr *expr = ev->expr;
	int			shown = pg_mbcliplen(expr->source, expr->len, DETAIL_MAX);
	int			pos = Min(Max(ev->pos, 0), expr->len);

	pos = expr->offset + pg_mbstrlen_with_len(expr->source, pg_mbcliplen(expr->source, expr->len, pos));
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg_internal("%s", message),
			 errdetail("In the expression \"%.*s%s\", at position %d.", shown, expr->source,
					   shown < expr->len ? "..." : "", pos),
			 hint ? errhint("%s", hint) : 0));
}

static char *format_message(const char *fmt, va_list args) pg_attribute_printf(1, 0);

static char *
format_message(const char *fmt, va_list args)
{
	char		buf[512];

	vsnprintf(buf, sizeof(buf), fmt, args);
	buf[pg_mbcliplen(buf, strlen(buf), sizeof(buf) - 1)] = '\0';
	return pstrdup(buf);
}

/* The expression fails: WF008. */
void
wf_expr_throw(WfEval *ev, const char *fmt,...)
{
	va_list		args;
	char	   *message;

	va_start(args, fmt);
	message = format_message(fmt, args);
	va_end(args);
	wf_expr_raise(ev, WF_ERRCODE_EXPRESSION_FAILED, message, NULL);
}

/* The same with a hint, which may be NULL. */
void
wf_expr_throw_hint(WfEval *ev, const char *hint, const char *fmt,...)
{
	va_list		args;
	char	   *message;

	va_start(args, fmt);
	message = format_message(fmt, args);
	va_end(args);
	wf_expr_raise(ev, WF_ERRCODE_EXPRESSION_FAILED, message, hint);
}

/* The expression is over a limit: WF009. */
void
wf_expr_over(WfEval *ev, const char *fmt,...)
{
	va_list		args;
	char	   *message;

	va_start(args, fmt);
	message = format_message(fmt, args);
	va_end(args);
	wf_expr_raise(ev, WF_ERRCODE_EXPRESSION_LIMIT, message,
				"The settings workflow.expression_time and workflow.expression_memory are the limits; heavy work belongs in a db or a code block.");
}
