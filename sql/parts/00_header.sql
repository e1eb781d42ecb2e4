\echo Use "CREATE EXTENSION workflow" to load this file. \quit
