/*
 * sandbox.h: JavaScript for whoever wants some run: read a source, call it.
 *
 * The engine that runs it is behind a wall (wall.h); values cross as JSON. One instance per process, put back to the beginning
 * before each call, so nothing is left of the one before. Sources that were called are kept prepared (a cache of the process).
 * Built with WITHOUT_SANDBOX, every function says so.
 */
#ifndef WF_SANDBOX_SANDBOX_H
#define WF_SANDBOX_SANDBOX_H

#include "postgres.h"
#include "base/error.h"
#include "base/json.h"
#include "lib/stringinfo.h"
#include "nodes/pg_list.h"

/* The names that a source may read, in the order in which its function takes them. */
#define WF_CODE_NAMES(NAME) \
	NAME(INPUT, "$input") NAME(NODE, "$node") NAME(TRIGGER, "$trigger") NAME(VARS, "$vars") NAME(ENV, "$env") \
	NAME(ITEM, "$item") NAME(INDEX, "$index") NAME(ITEMS, "$items") NAME(ERROR, "$error") NAME(RUN, "$run") \
	NAME(NOW, "$now") NAME(TODAY, "$today")

typedef enum WfCodeName
{
#define WF_CODE_NAME(symbol, name) WF_CODE_##symbol,
	WF_CODE_NAMES(WF_CODE_NAME)
#undef WF_CODE_NAME
	WF_CODE_N_NAMES
} WfCodeName;

extern const char *const wf_code_names[WF_CODE_N_NAMES];

/* Which of them it is; WF_CODE_N_NAMES: none. */
extern int	wf_sandbox_find_name(const char *name);

/* A place where a source reads a name that begins with $ and is none of its own. */
typedef struct WfCodeRead
{
	const char *name;			/* with the $; NULL: it evaluates texts, so it may read any */
	const char *member;			/* that follows it, or NULL: none that is written there */
	int			line;			/* from 1 */
} WfCodeRead;

/* Why a source cannot be. */
typedef struct WfCodeProblem
{
	int			sqlstate;
	const char *message;
	int			line;			/* from 1; 0: none */
	int			column;
} WfCodeProblem;

/* A limit, and a hint that says whose it is. */
typedef struct WfCodeLimit
{
	int64		most;
	const char *hint;
} WfCodeLimit;

typedef struct WfCodeLimits
{
	WfCodeLimit time_ms;		/* of the processor */
	WfCodeLimit memory_bytes;
	WfCodeLimit output_bytes;	/* of the result as JSON text */
	WfCodeLimit log_lines;
	const char *subject;		/* what errors call it: code, expression */
} WfCodeLimits;

/* What an installation allows a node's code; its output_bytes is that of any output. */
extern void wf_sandbox_limits(WfCodeLimits *limits);

/* Lowers one of them to what somebody else allows; negative: no less than it is. */
static inline void
wf_sandbox_lower(WfCodeLimit *limit, int64 most, const char *hint)
{
	if (most >= 0 && most < limit->most)
		*limit = (WfCodeLimit) {most, hint};
}

/*
 * Reads a source, the body of an async function in strict mode: the WfCodeReads in CurrentMemoryContext, and false with `problem` when
 * it is none (WF002), goes over a limit (WF009), or there is no JavaScript here (0A000). Throws what interrupts do, and 53000 when the
 * engine cannot be started.
 */
extern bool wf_sandbox_read(const char *source, Size bytes, List **reads, WfCodeProblem *problem);

typedef struct WfCodeCall
{
	const char *source;
	Size		bytes;
	const char *values;			/* a JSON object: what the names stand for */
	Size		values_bytes;
	bool		each;			/* once for each of $items; the result is a list */
	double		clock_ms;		/* what the clock shows, since 1970; negative: the time as it is */
	uint64		seed;			/* of Math.random */
	const WfCodeLimits *limits;
	void		(*log) (void *arg, const char *line);	/* or NULL */
	void	   *arg;
} WfCodeCall;

/*
 * Calls a source. Its result, in CurrentMemoryContext; or NULL and *error: thrown by the code, or no value that PostgreSQL can hold (WF018),
 * over a limit (WF009). Its lines are logged in either case. Throws what interrupts do (within 20 ms, whatever the code is at),
 * and 53000.
 */
extern Jsonb *wf_sandbox_call(const WfCodeCall *call, WfError **error);

/* Microseconds of the processor that calls took in this process, ever. */
extern int64 wf_sandbox_used_us(void);

#ifdef WF_TESTING
/* What all processes use at the moment, as workflow.code_total_memory counts it. */
extern uint64 wf_sandbox_used_bytes(void);
#endif

/* What becomes of numbers that a double does not hold. */
typedef enum WfCodeBig
{
	WF_CODE_BIG_ERROR,			/* 22003; the hint tells of the next one */
	WF_CODE_BIG_STRING,
	WF_CODE_BIG_REFUSED,		/* 22003: there is no such choice here */
} WfCodeBig;

/* Appends a key of an object, which it begins when the key is the *first. */
extern void wf_sandbox_append_key(StringInfo out, const char *key, bool *first);
/* Appends a value as JSON for a call. Throws 22003 with `name` and the place within. */
extern void wf_sandbox_append(StringInfo out, const JsonbValue *value, const char *name, WfCodeBig big);

/* Asks for shared memory; to be called from _PG_init. */
extern void wf_sandbox_init(void);

#endif
