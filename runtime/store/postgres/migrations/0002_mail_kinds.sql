-- Up Migration
-- What kinds of mail there are is for the code to say: a release that brings a new kind needs no lock on the table.
alter table everstep.mail drop constraint if exists mail_kind_check;
