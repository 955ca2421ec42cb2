import random, json
from decimal import Decimal
import pytest
from tests.api.ocpi.conftest import *
from tests.api.ocpi.partner import *
from api.ocpi.wire import encoded
JUNK=[None,"",0,-1,1,Decimal("1e-20"),Decimal("0.001"),999999,1000000,10**9,True,[],{}, "x","\u0000","é","#NA","2026-05-04T08:30:00Z","1971-01-01T00:00:00Z","2998-12-31T23:59:59.999999Z","2026-05-04T08:00:00+14:00","0001-01-01T00:00:00Z","2998-12-31T23:59:59-23:59","COMPLETED","INVALID","ACTIVE","PENDING","RESERVATION",[[]],[{}],"A"*36,"A"*37,Decimal("0.00000000000000000001"),Decimal("123456.789123"), "1e5","-0"]
DIMS=["ENERGY","TIME","PARKING_TIME","POWER","MAX_CURRENT","ENERGY_IMPORT","ENERGY_EXPORT","STATE_OF_CHARGE","RESERVATION_TIME","CURRENT","MIN_POWER","XX"]
VOL=[0,1,Decimal("0.5"),Decimal("1e-20"),1000000,999999,Decimal("1e-30"),-5,"7",Decimal("0.3333333333333333333333")]
INST=["2026-05-04T08:00:00Z","2026-05-04T08:30:00Z","2026-05-04T09:00:00Z","1971-01-01T00:00:00Z","2998-12-31T23:59:59Z","2026-05-04T07:00:00Z","2026-05-04T08:00:00.5Z"]
def periods(r):
    return [{"start_date_time":r.choice(INST),"dimensions":[{"type":r.choice(DIMS),"volume":r.choice(VOL)} for _ in range(r.randint(1,3))], **({"tariff_id":r.choice(["CITY","city","X"])} if r.random()<.2 else {})} for _ in range(r.randint(0,4))]
def mutate(r, body, depth=0):
    body=dict(body)
    for k in list(body):
        if r.random()<.08:
            body[k]=r.choice(JUNK)
        elif isinstance(body[k],dict) and r.random()<.2: body[k]=mutate(r,body[k])
    for k in ("last_updated","start_date_time","end_date_time"):
        if r.random()<.5: body[k]=r.choice(INST)
    if r.random()<.6: body["charging_periods"]=periods(r)
    if r.random()<.6 and "kwh" in body or r.random()<.3: body["kwh"]=r.choice([0,1,5,Decimal("7.77"),999999,10**6])
    return body
@pytest.mark.parametrize("seed",range(12))
async def test_fuzz(seed, cpo, biller, world, database):
    r=random.Random(seed*7919)
    codes={}
    from sqlalchemy import select
    from domain.services import audit
    for n in range(150):
        p=r.choice([cpo,biller]); s=f"S-{r.randint(1,6)}"
        k=r.random()
        if k<.35: body=mutate(r,p.session(s,evse_uid=r.choice(EV))); said=await p.put(body,s)
        elif k<.8:
            body={x:y for x,y in mutate(r,p.session(s)).items() if r.random()<.4}
            body.setdefault("last_updated",r.choice(INST)); 
            if r.random()<.2: body["status"]=r.choice(["COMPLETED","INVALID","ACTIVE","PENDING"])
            said=await p.patch(body,s)
        elif k<.9: body=None; said=await p.get(s)
        else: body=mutate(r,p.cdr(f"C-{s}",session_id=s)); said=await p.post_cdr(body)
        codes[said.codes]=codes.get(said.codes,0)+1
        assert said.codes[0]<500,(body,said.message)
        assert said.codes[0] in(200,201,404,400)
        assert "no such" in said.message or said.codes[1]!=2000
    async with database.snapshot() as reader:
        bad=[v for v in await audit(reader) if v.broken is not None]
    assert not bad, bad
    print(codes)
EV=["EVSE-1","EVSE-2","EVSE-3"]
