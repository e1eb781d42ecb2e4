-- workflow: the extension's script, made from sql/parts.
\echo Use "CREATE EXTENSION workflow" to load this file. \quit
