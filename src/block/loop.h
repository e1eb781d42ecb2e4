/*
 * loop.h: the state of a loop, for loop.c and loop_state.c; private to this room.
 */
#ifndef WF_BLOCK_LOOP_H
#define WF_BLOCK_LOOP_H

#include "block/block.h"
#include "block/support.h"

typedef enum WfLoopType
{
	WF_LOOP_FOREACH,
	WF_LOOP_FOR,
	WF_LOOP_WHILE,
} WfLoopType;

typedef enum WfItemError
{
	WF_ITEM_ERROR_STOP,
	WF_ITEM_ERROR_CONTINUE,
	WF_ITEM_ERROR_COLLECT,
} WfItemError;

/* What the graph knows. */
typedef struct WfLoopPlan
{
	WfLoopType	type;
	WfItemError on_error;
	bool		workers;		/* mode: workers */
	const WfTemplate *condition;
	const WfTemplate *break_condition;
} WfLoopPlan;

/* What a round gave: its result, or an entry of `errors`. */
typedef struct WfRound
{
	int64		index;
	JsonbValue	value;
} WfRound;

typedef struct WfRounds
{
	int			n;
	int			size;
	WfRound    *rounds;			/* in the order in which they ended */
} WfRounds;

/* What a step knows; in its state memory. Rounds are counted from 0; inline, the round at hand is `finished`. */
typedef struct WfLoopState
{
	WfLoopType	type;
	bool		workers;
	int64		entered;		/* rounds begun; the index of the next one */
	int64		finished;		/* rounds that are over; the others are open */
	int64		total;			/* foreach, for: rounds that there are; while: PG_INT64_MAX */
	int64		most;			/* maxIterations */
	int64		limit;			/* workers: rounds at once */
	WfItems		items;			/* foreach */
	int64		batch;			/* foreach: 0, or items a round */
	int64		first;			/* for: the number of round 0 */
	int64		step;
	JsonbValue	last;			/* while: what the last round gave, null at first */
	int64		bytes;			/* gathered */
	WfRounds	results;
	WfRounds	errors;
} WfLoopState;

/* Sets the number of rounds, from what the rest of the state says, and checks it; `to`: last number of a `for`. */
extern void wf_loop_count_rounds(WfLoopState *state, int64 to);
/* `$item` of a round. Borrowed from the state, or made in CurrentMemoryContext. */
extern void wf_loop_item(const WfLoopState *state, int64 index, JsonbValue *out);
/* Adds what a round gave; the value is kept, not copied. In state memory. */
extern void wf_loop_add(WfRounds *rounds, int64 index, const JsonbValue *value);
/* {results, count, errors}, in the order of the rounds. */
extern Jsonb *wf_loop_output(WfLoopState *state);

/* WfBlock.save and load. */
extern Jsonb *wf_loop_save(WfStep *step);
extern void *wf_loop_load(WfStep *step, const JsonbValue *saved);

#endif
