import time
from decimal import Decimal
from tests.api.ocpi.conftest import *
from tests.api.ocpi.partner import *
async def test_probe(cpo, world, database):
    print((await cpo.put(cpo.session())).codes, (await cpo.put(cpo.session("s-1"), "s-1")).codes, (await world.balance()).held)
    print("patch start", (await cpo.patch(change("08:10:00", start_date_time="2026-05-04T08:05:00Z"))).codes, (await cpo.get()).data["start_date_time"])
    await cpo.put(cpo.session("L", evse_uid="EVSE-2"), "L")
    ps=[]
    t=time.perf_counter()
    for n in range(1,601):
        mm,ss=divmod(n*5,60); c=f"{8+mm//60:02}:{mm%60:02}:{ss:02}"
        pm,pss=divmod((n-1)*5,60); pc=f"{8+pm//60:02}:{pm%60:02}:{pss:02}"
        said=await cpo.patch(change(c,kwh=Decimal(n)/100,charging_periods=[period(pc,ENERGY=Decimal("0.01"),TIME=Decimal("0.00138889"))]),"L")
        assert said.codes==(200,1000),said.message
        if n%150==0: print(n, round((time.perf_counter()-t)/150*1000,1),"ms each"); t=time.perf_counter()
