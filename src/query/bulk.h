/*
 * bulk.h: what the files of the bulk statements share; private to this room.
 *
 * bulk.c reads the config and runs; bulk_items.c finds columns and groups and binds the values;
 * bulk_text.c writes the statement of a group. Everything is in the memory of one execution.
 */
#ifndef WF_QUERY_BULK_H
#define WF_QUERY_BULK_H

#include "query/internal.h"

/* A column that some item has. */
typedef struct WfBulkColumn
{
	char	   *key;			/* as the items write it */
	int			key_len;
	WfColumn	column;
	WfQueryType *type;			/* bound to: the column's base type */
	Oid			array;			/* of the parameter */
	bool		as_text;
	bool		is_key;
	bool		significant;	/* leaving it out makes an item of another kind */
} WfBulkColumn;

/* Items that are one statement. */
typedef struct WfBulkGroup
{
	Bitmapset  *given;			/* significant columns that its items have */
	int			n_items;
	int			n_filled;
	Datum	  **values;			/* by column; NULL for columns that are no part of it */
	bool	  **nulls;
} WfBulkGroup;

typedef struct WfBulk
{
	WfStatement *statement;
	WfBuild		build;
	WfQueryTable *table;
	int			n_keys;
	const char **keys;
	const char *on_conflict;	/* error, ignore, update */
	int			n_conflict;
	const char **conflict;
	int			n_columns;
	int			max_columns;
	WfBulkColumn *columns;
	int			n_groups;
	int			max_groups;
	WfBulkGroup  *groups;
	JsonbValue	items;
	int		   *group_of;		/* by item */
} WfBulk;

/* First pass: which columns there are, and which items are alike. Throws 22023, 42703. */
extern void wf_query_bulk_group(WfBulk *bulk);
/* Second pass: the values of each group, column by column. Throws what binding throws, with the item. */
extern void wf_query_bulk_bind(WfBulk *bulk);
/* Writes the statement of a group into bulk->build.sql. */
extern void wf_query_bulk_text(WfBulk *bulk, const WfBulkGroup *group, int n_given);

#endif
