-- Up Migration
-- What kinds of mail there are is for the code to say: a release that brings a new kind needs no lock on the table.
alter table everstep.mail drop constraint if exists mail_kind_check;

-- Every event of an open run updates its head, and every run is updated once, when it closes. Where thousands of runs share
-- a statement, the versions before are not gone yet when the next ones come: with room for them on the same page no index is
-- touched. Measured with 1,000 runs at once: 98 % of the updates instead of 82 %, and a tenth less write-ahead log.
alter table everstep.open_run set (fillfactor = 40);
alter table everstep.run set (fillfactor = 50);
