/*
 * wall.h: the wall around the JavaScript engine. Knows nothing of PostgreSQL, and may not.
 *
 * One instance of the guest (guest/guest.c) per process, whose linear memory is put back to an image before each use. A use
 * ends, whatever happens within: with a status of the guest, at a limit, by a trap, or because it was told to stop. Nothing of the
 * guest's outside its linear memory needs cleaning up, so it may be left at any instruction.
 */
#ifndef WF_SANDBOX_WALL_H
#define WF_SANDBOX_WALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How a use of the guest ended. The first four are what the guest says of itself. */
typedef enum WfWallEnd
{
	WF_WALL_DONE,				/* `text` is the result */
	WF_WALL_THROWN,				/* `text` is {"name", "message", "stack", "line", "column"} */
	WF_WALL_PENDING,			/* the code waits for a promise that nothing settles */
	WF_WALL_BROKEN,				/* no memory where there must be some */
	WF_WALL_STOPPED,			/* WfWallHost.stop said so */
	WF_WALL_OVER_TIME,
	WF_WALL_OVER_STACK,
	WF_WALL_OVER_LOG,
	WF_WALL_TRAPPED,			/* an access outside the memory, or the like: a fault of the engine; `text` says which */
} WfWallEnd;

/* What the wall asks of who uses it. None of these may throw or jump. */
typedef struct WfWallHost
{
	bool		(*stop) (void);			/* is the use to end? Called in a signal handler: flags only */
	bool		(*take) (size_t bytes); /* may so much more memory be used? Counts it when it may */
	void		(*give) (size_t bytes); /* so much less is */
} WfWallHost;

/* What a use may take. */
typedef struct WfWallLimits
{
	int64_t		time_us;		/* of the processor */
	size_t		memory_bytes;	/* of linear memory */
	size_t		stack_bytes;	/* of the process's own stack */
	size_t		log_lines;
	size_t		log_bytes;		/* of all lines */
} WfWallLimits;

/* What came of a use; borrowed from the instance until the next one. */
typedef struct WfWallResult
{
	WfWallEnd	end;
	const char *text;			/* or NULL; ended by a zero, and perhaps with others in it */
	size_t		text_bytes;
	const char *log;			/* lines, each ended by a zero */
	size_t		log_bytes;
	size_t		log_lines;
	bool		memory_refused; /* it asked for more than it may have */
	size_t		memory_bytes;	/* what it had in the end */
	int64_t		used_us;		/* of the processor */
} WfWallResult;

/* A source that was prepared. */
typedef struct WfWallImage WfWallImage;

/* Makes the instance, once. NULL, or why that cannot be (then it may be tried again). `host` must outlive the process. */
extern const char *wf_wall_start(const WfWallHost *host);

/* Reads a source: see guest.c, wf_check. */
extern WfWallResult wf_wall_check(const char *source, size_t bytes, const WfWallLimits *limits);

/* Compiles a source into an image that can be called any number of times; NULL and `result` when it cannot. */
extern WfWallImage *wf_wall_prepare(const char *source, size_t bytes, const WfWallLimits *limits, WfWallResult *result);
extern void wf_wall_forget(WfWallImage *image);
extern size_t wf_wall_image_bytes(const WfWallImage *image);

#define WF_WALL_EACH	0x01	/* once for each of $items */

/* Calls it. `json` is an object by name; `clock_ms` is what Date says (negative: the time as it is); `seed` is Math.random's. */
extern WfWallResult wf_wall_call(const WfWallImage *image, const char *json, size_t bytes, double clock_ms, uint64_t seed,
								 uint32_t flags, const WfWallLimits *limits);

/* Gives back what the last use took beyond what the next one needs at least. */
extern void wf_wall_rest(void);

#ifdef WF_TESTING
/* Makes the guest write, or read, at an address: what must be trapped. With the memory of a source, or (NULL) as it is after boot. */
extern WfWallResult wf_wall_poke(const WfWallImage *image, uint32_t address, bool write, const WfWallLimits *limits);

/* Where the guest says that its results are; or what they are, when it is said here. */
typedef struct WfWallLie
{
	bool		on;
	uint32_t	at;
	uint32_t	bytes;
	const char *text;
} WfWallLie;

extern WfWallLie wf_wall_lie;
#endif

#endif
